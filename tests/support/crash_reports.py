"""Says at the very end of a test run how workers ended that crashed, and where they were."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

MOST_CHARACTERS: Final = 2000
_MACHINERY: Final = re.compile(r"/(pluggy|_pytest|xdist|execnet)/|^Extension modules|<string>")
_ended: list[tuple[str, int]] = []
_again: set[str] = set()


def _report(run: int, worker: str) -> Path:
    return Path(tempfile.gettempdir()) / f"crossguard-tests-{run}-{worker}.crash"


@pytest.hookimpl(trylast=True)  # after pytest has sent crashes to stderr
def pytest_configure() -> None:
    """Has this worker write the stacks of its threads into a file, should it crash."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        faulthandler.enable(os.open(_report(os.getppid(), worker), os.O_CREAT | os.O_WRONLY))  # open until the end


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Notes what a worker ended with: its signal tells a crash from an exit, and both from a lack of memory."""
    if error:
        # Nothing public says it.
        _ended.append((node.gateway.id, node.gateway._io.popen.wait(10)))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """Runs a test once more whose worker ended with SIGSEGV before Python's handler of crashes could write a word.

    The kernel forces that where it cannot write the frame of a signal. On a virtual machine in another one it did so
    twice while a worker waited for a socket; the crash is told at the end, and a second one is a failure.
    """
    worker, code = _ended[-1]
    if code == -signal.SIGSEGV and not _said(worker) and crashitem not in _again:
        _again.add(crashitem)
        report.outcome = "rerun"  # type: ignore[assignment]
        sched.mark_test_pending(crashitem)


def _said(worker: str) -> str:
    report = _report(os.getpid(), worker)
    return report.read_text() if report.exists() else ""  # it may have crashed before it could be there


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints it, and removes the files of all workers."""
    for worker, code in _ended:
        terminalreporter.section(f"{worker} ended with {code}")
        kept = "\n".join(line for line in _said(worker).splitlines() if not _MACHINERY.search(line))
        terminalreporter.write_line(kept[:MOST_CHARACTERS] or "Nothing was written: it was killed, or ended itself.")
    for path in Path(tempfile.gettempdir()).glob(_report(os.getpid(), "*").name):
        path.unlink()
