"""The engine of one machine: worker processes, each with its own cores."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final

from crossguard.data.storage import Storage, is_remote
from crossguard.errors import ConfigError
from crossguard.jobs.cores import memory_nodes, share_cores
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import TASK, Part, Task
from crossguard.jobs.worker import outcome
from crossguard.machine import allowed_cores, available_cores
from crossguard.worker_process import WorkerProcess

# Cores of one worker: up to here each works on its own batch and nothing waits; beyond, memory is saved and speed lost.
WORKER_CORES: Final = 4
# Without a sign of life for so long, a worker hangs.
STALL_SECONDS: Final = 900.0
_STARTS: Final = 5
_END_SECONDS: Final = 5.0


def crew_of(spec: JobSpec, count: int | None) -> tuple[int, int]:
    """Returns how many workers this machine gets, by its cores without a count, and how many cores each uses."""
    cores = available_cores()
    count = count or max(1, round(cores / (spec.threads or WORKER_CORES)))
    return count, spec.threads or max(1, cores // count)


def local_workers(spec: JobSpec, identity: dict[str, str], count: int | None) -> list[LocalWorker]:
    """Returns the workers of this machine; their processes start with their first tasks."""
    count, threads = crew_of(spec, count)
    # Under a quota the kernel moves processes about; a pinned one would wait for its core beside free ones.
    pinned = share_cores(count, memory_nodes()) if available_cores() == len(allowed_cores()) else [[]] * count
    return [LocalWorker(spec, identity, own, threads=spec.threads or len(own) or threads) for own in pinned]


class LocalWorker:
    """A process that scores, anywhere or on some cores; started when it is needed, and again after it died."""

    def __init__(self, spec: JobSpec, identity: dict[str, str], cores: Sequence[int], *, threads: int) -> None:
        plain = {**spec.to_dict(), "threads": threads}
        self._first = {"spec": plain, "identity": identity, "cores": list(cores)}
        self._output = spec.output
        self.cores = threads
        self._process: WorkerProcess | None = None
        # A process that is killed cannot remove the posts that it works on; next to an output here, the next run does.
        self._scratch = ExitStack()
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.process.pid

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        """Carries out a task; see `Worker`."""
        if self._process is None:
            self._start()
        self._send(TASK.dump_python(task, exclude_defaults=True))
        while True:
            answer = self._answer()
            if "posts" not in answer:
                return outcome(answer)
            progress(answer["posts"])

    def close(self) -> None:
        """Ends the process, at once."""
        self._closed = True
        self._end(kill=True)

    def _start(self) -> None:
        """Starts the process; again where it is killed while it loads, for which no post is to blame."""
        for _ in range(_STARTS):
            try:
                return self._launch()
            except WorkerCrashed as crash:
                if self._closed:
                    raise
                reason = str(crash)
        raise ConfigError(
            f"Worker processes end while they load the model ({reason}). Memory may be short: use fewer --workers."
        )

    def _launch(self) -> None:
        self._answers = queue.SimpleQueue()
        if self._closed:
            raise WorkerCrashed("the job is ending")
        scratch = self._scratch.enter_context(Storage(self._output).scratch()) if is_remote(self._output) else None
        self._process = WorkerProcess("crossguard.jobs.worker", threads=self.cores, quiet=False)
        threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        self._send({**self._first, "scratch": None if scratch is None else str(scratch)})
        answer = self._answer()
        if "ready" not in answer:
            outcome(answer)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None
        try:
            self._process.requests.write(json.dumps(message).encode() + b"\n")
            self._process.requests.flush()
        except OSError:
            raise self._crashed() from None

    def _answer(self) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=STALL_SECONDS)
        except queue.Empty:
            self._end(kill=True)
            raise WorkerCrashed(f"it did not move for {STALL_SECONDS:.0f} s") from None
        if answer is None:
            raise self._crashed()
        return answer

    def _crashed(self) -> WorkerCrashed:
        process = self._process
        self._end()
        code = None if process is None else process.process.returncode
        if code is not None and code < 0:
            return WorkerCrashed(f"signal {-code} ({signal.Signals(-code).name})")
        return WorkerCrashed(f"exit code {code}")

    def _end(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        scratch, self._scratch = self._scratch, ExitStack()
        if process is not None:
            if kill:
                process.kill()
            with suppress(OSError):  # what it was sent is lost
                process.requests.close()
            try:
                process.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.process.wait()
        scratch.close()


def _read(process: WorkerProcess, answers: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Hands on what a process says; None when it ended, also where a child of it keeps the pipe open."""

    def read() -> None:
        with process.answers as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    answers.put(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    process.process.wait()
    reader.join(_END_SECONDS)
    answers.put(None)
