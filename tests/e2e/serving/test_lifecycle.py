"""Starting, reloading and stopping, with callers at the door."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.support.server import RunningServer

from crossguard.bundle import Bundle, write_manifest


class Callers:
    """Threads that send good requests one after another until told to stop; each opens a connection per request.

    A new connection each time makes the answer clear-cut: one that was accepted must be answered, one that was not
    is refused, or reset by the kernel when it was neither. (A reset that comes while sending is swallowed by the
    client, which then reads an end: RemoteProtocolError.)
    """

    def __init__(self, server: RunningServer, threads: int = 8) -> None:
        self.server = server
        self.outcomes: Counter[str] = Counter()
        self.versions: list[str] = []
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._futures = [self._pool.submit(self._call) for _ in range(threads)]

    def stop(self) -> None:
        self._done.set()
        for future in self._futures:
            future.result(30)
        self._pool.shutdown()

    def _call(self) -> None:
        with self.server.client(headers={"connection": "close"}) as client:
            while not self._done.is_set():
                try:
                    answer = client.post("/v1/score", json={"text": "hello you"})
                except httpx2.ConnectError:
                    self.outcomes["refused"] += 1
                    return
                except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
                    self.outcomes["reset"] += 1
                    return
                self.outcomes[str(answer.status_code)] += 1
                self.versions.append(answer.json()["model_version"])


def test_sigterm_under_load_loses_no_accepted_request(tiny_bundle: Bundle) -> None:
    with RunningServer(tiny_bundle.folder, drain_s=0.5) as server:
        callers = Callers(server)
        time.sleep(1.0)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        with server.client() as client:
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "draining")
            assert ready.headers["connection"] == "close"
            assert client.get("/healthz").status_code == 200
        code = server.stop()
        callers.stop()
    assert code == 0
    assert callers.outcomes["200"] >= 8
    assert set(callers.outcomes) <= {"200", "refused", "reset"}
    # Between the last accept and the closing of the door lie some microseconds.
    assert callers.outcomes["reset"] <= 1
    logged = [entry for entry in server.events if entry["event"] == "request" and entry["route"] == "/v1/score"]
    assert {entry["status"] for entry in logged} == {200}
    assert len(logged) == callers.outcomes["200"]


@pytest.mark.parametrize("sent", [0, 30])
def test_a_request_on_its_way_at_the_end_is_answered(tiny_bundle: Bundle, sent: int) -> None:
    body = b'{"text": "hello you"}'
    request = b"POST /v1/score HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    request %= (len(body), body)
    with RunningServer(tiny_bundle.folder, drain_s=0) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(request[:sent])
            time.sleep(0.2)
            server.process.send_signal(signal.SIGTERM)
            wait_until_refused(server.port)
            connection.sendall(request[sent:])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert server.stop() == 0
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"action"' in answer


def wait_until_refused(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    raise AssertionError("the server still accepts connections")


def test_a_reload_drops_no_request_and_serves_the_new_model(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.folder, folder)
    manifest = json.loads((folder / "bundle.json").read_text())
    with RunningServer(folder, drain_s=0) as server:
        callers = Callers(server, threads=4)
        time.sleep(0.3)
        manifest["model"]["version"] = "2.0.0"
        write_manifest(folder, manifest)
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while "2.0.0" not in callers.versions[-20:] and time.monotonic() < end:
            time.sleep(0.05)
        (folder / "text.onnx").write_bytes(b"broken")
        server.process.send_signal(signal.SIGHUP)
        failed = server.wait_for("reload_failed")
        time.sleep(0.2)
        callers.stop()
    assert set(callers.outcomes) == {"200"}
    assert callers.versions[0] == "1.0.0"
    assert callers.versions[-1] == "2.0.0"
    assert "text.onnx" in failed["message"]


def test_a_full_queue_answers_429_and_good_requests_still_pass(tiny_bundle: Bundle) -> None:
    body = {"posts": [{"text": f"hello {number}"} for number in range(50)]}
    with RunningServer(tiny_bundle.folder, drain_s=0, max_queue=60, max_posts=50) as server:

        def ask(_: int) -> httpx2.Response:
            with server.client() as client:
                return client.post("/v1/score/batch", json=body)

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(120)))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "overloaded"
        assert server.metric("crossguard_queue_posts") == 0
        assert ask(0).status_code == 200


def test_callers_who_hang_up_are_not_worked_for(tiny_bundle: Bundle) -> None:
    posts = {"posts": [{"text": f"hello {number} " * 50} for number in range(1000)]}
    body = json.dumps(posts).encode()
    head = b"POST /v1/score/batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    with RunningServer(tiny_bundle.folder, drain_s=0) as server:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
                connection.sendall(head % len(body) + body)
                time.sleep(0.05)
        end = time.monotonic() + 60
        while sum(entry.get("route") == "/v1/score/batch" for entry in server.events) < 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert server.metric("crossguard_queue_posts") == 0
        assert server.metric("crossguard_posts_total") < 2500
        with server.client() as client:
            assert client.post("/v1/score", json={"text": "hello"}).status_code == 200


def test_a_request_that_takes_too_long_gets_an_answer(tiny_bundle: Bundle) -> None:
    posts = {"posts": [{"text": f"hello {number}"} for number in range(20_000)]}
    small = RunningServer(tiny_bundle.folder, drain_s=0, request_timeout_s=0.5, max_posts=20_000, max_queue=20_000)
    with small as server, server.client() as client:
        answer = client.post("/v1/score/batch", json=posts)
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "deadline_exceeded"
        assert server.metric("crossguard_queue_posts") == 0
        assert server.metric("crossguard_posts_total") < 20_000


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--port=99999"], 5, "port"),
        (["--max-posts=5000", "--max-queue=10"], 5, "max_queue"),
        (["--model=/nowhere/at/all"], 4, "/nowhere/at/all"),
        (["--keys-file=/nowhere.yaml"], 5, "/nowhere.yaml"),
        (["--fetch-origins=media"], 5, "media"),
    ],
)
def test_a_wrong_start_is_one_readable_line(tiny_bundle: Bundle, flags: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "crossguard", "serve", f"--model={tiny_bundle.folder}", "--port=0", *flags]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == code, ended.stderr
    last = [line for line in ended.stderr.splitlines() if line.startswith("Error:")]
    assert len(last) == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_said(server: RunningServer, tiny_bundle: Bundle) -> None:
    command = [sys.executable, "-m", "crossguard", "serve", f"--model={tiny_bundle.folder}", f"--port={server.port}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert "Try another --port" in ended.stderr


def test_serving_needs_no_torch(tiny_bundle: Bundle) -> None:
    code = (
        "import sys, crossguard.serving.server, crossguard.serving.app;"
        "from crossguard.serving.served import load_served; from crossguard.serving.settings import ServeSettings;"
        f"load_served(ServeSettings(model={str(tiny_bundle.folder)!r}));"
        "sys.exit(any(name.partition('.')[0] in {'torch', 'pandas', 'sklearn'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
