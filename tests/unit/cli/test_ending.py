"""A command that has written everything ends at once; nothing that was said is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossguard.cli import ending

# What Python ends with where stdout cannot be written at its end.
FLUSHING_FAILED = 120
AT_EXIT = "import atexit, sys; atexit.register(print, 'at exit'); from crossguard.cli.ending import end, until_exit; "


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", AT_EXIT + code], capture_output=True, text=True, check=False)


def test_with_a_model_the_process_ends_at_once_and_what_it_said_is_written() -> None:
    found = ended("until_exit(object()); print('said'); print('told', file=sys.stderr); end(3)")
    assert (found.returncode, found.stdout, found.stderr) == (3, "said\n", "told\n")


def test_without_one_it_ends_as_ever() -> None:
    found = ended("print('said'); end(3)")
    assert (found.returncode, found.stdout) == (3, "said\nat exit\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_cannot_be_written_is_left_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = AT_EXIT + "until_exit(object()); print('said'); end(0)"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        found = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    assert found.returncode == FLUSHING_FAILED
    assert b"No space left" in found.stderr


def test_only_the_last_model_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_kept", [])
    ending.until_exit("first")
    ending.until_exit("second")
    assert ending._kept == ["second"]
