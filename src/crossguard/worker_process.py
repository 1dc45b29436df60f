"""Processes that take over what would hold up this one: how they are started, and what they do first.

The two sides exchange lines of JSON and raw bytes; nothing is unpickled. A process ends when its stdin is closed, so
none outlives the one that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

NICENESS: Final = 10


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Starts a process that runs `serve()` of a module, which reads `sys.argv[1:]`."""
    package = str(Path(__file__).resolve().parents[1])
    code = f"import sys; sys.path.append({package!r}); from {module} import serve; serve()"
    return subprocess.Popen(  # noqa: S603 - our own command
        # -P: the working folder is no place to import from.
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
    )


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
