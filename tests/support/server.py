"""Runs `crossguard serve` as a real process on a free port of the loopback interface."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

START_SECONDS = 60
STOP_SECONDS = 30


class RunningServer:
    """A server process; use it as a context manager.

    Args:
        bundle: Folder of the bundle to serve.
        environment: Variables on top of this process's own.
        settings: Values of `crossguard serve`'s settings by name.
    """

    def __init__(self, bundle: Path, environment: dict[str, str] | None = None, **settings: Any) -> None:
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        command = [sys.executable, "-m", "crossguard", "serve", f"--model={bundle}", "--port=0", "--log-format=json"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CROSSGUARD_")}
        self.process = subprocess.Popen(
            [*command, *flags], stderr=subprocess.PIPE, text=True, env=inherited | (environment or {})
        )
        self.events: list[dict[str, Any]] = []
        self.lines: list[str] = []
        self.url = ""
        self._found: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        with contextlib.suppress(queue.Empty):
            self.url = self._found.get(timeout=START_SECONDS)
        if not self.url:
            self.stop()
            raise RuntimeError("the server did not start:\n" + "\n".join(self.lines))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, **options: Any) -> httpx2.Client:
        """Returns an HTTP client that asks this server and nothing else."""
        # Nothing here speaks TLS, and reading the certificates of the machine takes longer than most tests.
        return httpx2.Client(base_url=self.url, trust_env=False, verify=False, timeout=STOP_SECONDS, **options)

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        """Stops the process and returns its exit code; a process that does not stop is a failure."""
        if self.process.poll() is None:
            self.process.send_signal(kind)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(STOP_SECONDS)
            if self.process.stderr is not None:
                self.process.stderr.close()

    def wait_for(self, event: str, seconds: float = STOP_SECONDS) -> dict[str, Any]:
        """Returns the newest log entry of that name, waiting for it if need be."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [entry for entry in self.events if entry["event"] == event]
            if found:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no event '{event}' in:\n" + "\n".join(self.lines))

    def metric(self, name: str) -> float:
        """Returns the sum of a metric over its labels."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        values = [line.rpartition(" ")[2] for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        return sum(map(float, values))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            self.events.append(entry)
            if entry.get("event") == "listening":
                self._found.put(entry["url"])
        self._found.put("")
