"""Says at the very end of a test run how workers ended that crashed, and where they were."""

from __future__ import annotations

import faulthandler
import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import pytest

MOST_CHARACTERS: Final = 2000
_MACHINERY: Final = re.compile(r"/(pluggy|_pytest|xdist|execnet)/|^Extension modules|<string>")
_ended: list[tuple[str, int]] = []


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints it, and removes the files of all workers."""
    for worker, code in _ended:
        terminalreporter.section(f"{worker} ended with {code}")
        said = _report(os.getpid(), worker).read_text().splitlines()
        kept = "\n".join(line for line in said if not _MACHINERY.search(line))
        terminalreporter.write_line(kept[:MOST_CHARACTERS] or "Nothing was written: it was killed, or ended itself.")
    for path in Path(tempfile.gettempdir()).glob(_report(os.getpid(), "*").name):
        path.unlink()
