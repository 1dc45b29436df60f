"""The model server that AWS's PyTorch containers start, started as they start it, over our archive."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crossguard.bundle import Bundle
from crossguard.deploy.sagemaker.container import UNCAPPED
from crossguard.deploy.sagemaker.package import package_model
from crossguard.moderator import Moderator

START = "from sagemaker_pytorch_serving_container import serving; serving.main()"
# Starting Java and importing torch, on a busy machine.
PATIENCE_S = 600
# Nothing here speaks TLS or goes through a proxy.
ALONE: Any = {"trust_env": False, "verify": False, "timeout": 60}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="TorchServe needs Java, and there is none"),
    pytest.mark.skipif(importlib.util.find_spec("ts") is None, reason="TorchServe is not installed"),
    pytest.mark.skipif(
        importlib.util.find_spec("pkg_resources") is None,
        reason="the toolkit starts TorchServe through pkg_resources, of setuptools before 81",
    ),
    pytest.mark.skipif(not os.access("/etc", os.W_OK), reason="the toolkit writes its configuration into /etc"),
]


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def server(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    base = tmp_path_factory.mktemp("opt") / "ml"
    packed = package_model(tiny_bundle, base.parent / "model.tar.gz")
    with tarfile.open(packed.path) as tar:
        tar.extractall(base / "model", filter="data")
    port, *others = free_ports(4)
    environment = {
        **os.environ,
        **UNCAPPED["pytorch"],
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": port,
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": str(base / "model" / "code"),
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "TS_GRPC_INFERENCE_PORT": others[0],
        "TS_GRPC_MANAGEMENT_PORT": others[1],
        "TS_METRICS_ADDRESS": f"http://127.0.0.1:{others[2]}",
    }
    log = base.parent / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", START],
            env=environment,
            cwd=base,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            # The whole session: Java and the worker are children of children.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{address}/ping", **ALONE).status_code == HTTPStatus.OK:
                return
        time.sleep(0.5)
    pytest.fail(f"TorchServe did not come up:\n{log.read_text()[-3000:]}")


def ask(address: str, body: bytes, content_type: str) -> tuple[int, str]:
    reply = httpx2.post(f"{address}/invocations", content=body, headers={"Content-Type": content_type}, **ALONE)
    return reply.status_code, reply.text


def test_every_form_of_a_request_is_answered(server: str, tiny: Moderator) -> None:
    expected = pytest.approx(tiny.score(text="hello friends").scores, abs=1e-5)
    body = json.dumps({"instances": [{"text": "hello friends"}]}).encode()
    for content_type in ("application/json", "application/json; charset=utf-8"):
        status, reply = ask(server, body, content_type)
        assert status == 200
        assert json.loads(reply)["predictions"][0]["probabilities"] == expected
    lines = b'{"text": "hello friends"}\n{"text":\n{"text": "good"}\n'
    status, reply = ask(server, lines, "application/jsonlines")
    answers: list[dict[str, Any]] = [json.loads(line) for line in reply.split("\n")]
    assert status == 200
    assert answers[0]["probabilities"] == expected
    assert [answer.get("error") for answer in answers] == [None, "line_malformed", None]


def test_a_bad_image_is_a_client_error_with_its_reason(server: str) -> None:
    body = json.dumps({"instances": [{"text": "hello", "image_base64": "AAAA"}]}).encode()
    status, reply = ask(server, body, "application/json")
    assert status == 422
    assert "image_not_an_image" in reply
    assert ask(server, b'{"text": "hello"}', "application/json")[0] == 200


def test_bodies_and_answers_of_a_batch_transform_may_be_long(server: str) -> None:
    long = json.dumps({"text": "a" * 7_000_000}).encode() + b"\n"
    assert ask(server, long, "application/jsonlines")[0] == 200
    status, reply = ask(server, b'{"text": ""}\n' * 80_000, "application/jsonlines")
    assert status == 200
    assert len(reply) > 6_553_500
