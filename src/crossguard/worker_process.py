"""Processes that take over what would hold up this one: how they are started, and what they do first; and forks of it.

The two sides exchange lines of JSON and raw bytes; nothing is unpickled. A process ends when its stdin is closed, so
none outlives the one that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

NICENESS: Final = 10
_THREADS: Final = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")


class WorkerProcess:
    """A process that runs `serve()` of a module, which reads `sys.argv[1:]`. Serves one request at a time.

    Libraries in it compute with so many `threads`. What it says on stderr is shown where it is not `quiet`.

    Attributes:
        process: The process; each of its pipes is buffered.
        requests: Where requests are written to.
        answers: Where answers are read from.
        timed_out: Whether it was killed at a deadline.
    """

    def __init__(self, module: str, *arguments: str, threads: int = 1, quiet: bool = True) -> None:
        package = str(Path(__file__).resolve().parents[1])
        code = f"import sys; sys.path.append({package!r}); from {module} import serve; serve()"
        self.timed_out = False
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            # -P: the working folder is no place to import from.
            [sys.executable, "-P", "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **dict.fromkeys(_THREADS, str(threads))},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.requests, self.answers = self.process.stdin, self.process.stdout
        # `subprocess` keeps a process that runs, with its pipes, even where nobody else does.
        self._end = weakref.finalize(self, _end, self.process, os.getpid())
        self._end.atexit = False  # its stdin is closed then, and a fork must not end what its parent uses

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Ends the process; whoever waits for its answer finds no more of it."""
        self.process.kill()

    def close(self) -> None:
        """Ends the process and frees what it holds here."""
        self._end()

    @contextlib.contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Kills the process where the block takes longer."""

        def end() -> None:
            self.timed_out = True
            self.kill()

        watch = threading.Timer(seconds, end)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()


def in_forks(renew: Callable[[], None]) -> None:
    """Has every process that is forked from this one call `renew` first.

    For locks of whole modules: in a fork, one that a thread held in that moment is held for ever, as the thread is not
    there.
    """
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=renew)


def streams() -> tuple[IO[bytes], IO[bytes]]:
    """Returns, in the process, where requests come from and answers go; what libraries print comes between neither."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    return requests, answers


def give_way() -> None:
    """Lets whoever scores posts go first, and leaves Ctrl-C, which reaches the whole group, to the other side."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
