"""Runs tests in a process of their own: those of decoders, and of Ray, which ends a process that lost its cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_python(*arguments: str, seconds: float) -> str:
    """Returns what a Python in the root of the repository prints; fails where it does not end with 0."""
    command = [sys.executable, "-X", "faulthandler", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert run.returncode == 0, f"it ended with {run.returncode}:\n{run.stdout[-5000:]}\n{run.stderr[-5000:]}"
    return run.stdout


def run_tests_beside(test_file: str, name: str) -> None:
    """Runs the tests of another file in the folder of a test file."""
    tests = Path(test_file).with_name(name)
    printed = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tests), seconds=600)
    assert " passed in " in printed, printed
    assert "skipped" not in printed, printed
