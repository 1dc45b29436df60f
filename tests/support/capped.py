"""Runs code in a process of its own with a cap on its memory and a deadline."""

from __future__ import annotations

import resource
import subprocess
import sys
import textwrap

MIB = 1 << 20


def run_capped(code: str, *, mib: int, seconds: int) -> str:
    """Returns what the code prints; fails when it needs more memory or time.

    Args:
        code: Python, indented as its surroundings are.
        mib: Private writable memory, so that address space that an engine only reserves does not count.
        seconds: Processor time, and twice as much by the clock.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (mib * MIB, mib * MIB))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=2 * seconds,
        check=False,
    )
    assert done.returncode == 0, f"rc {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout
