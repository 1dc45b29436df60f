from __future__ import annotations

import pytest

from crossguard.cli.telling import show, tell


def test_a_message_steers_no_terminal_and_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tell("\nnote: column '\x1b[2Ja\u202eb'\n  - next")
    assert capsys.readouterr() == ("", "\nnote: column ' [2Jab'\n  - next\n")


@pytest.mark.parametrize(("terminal", "shown"), [(True, "a\t b 2J\n"), (False, "a\t b\x9b2J\n")])
def test_a_text_is_changed_for_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, terminal: bool, shown: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    show("a\t b\x9b2J")
    assert capsys.readouterr().out == shown
