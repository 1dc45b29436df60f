"""`crossguard serve` as far as it goes before it serves."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import yaml

from crossguard.cli import run

pytest.importorskip("starlette", reason="serving belongs to crossguard[serve]")

from crossguard.serving.keys import digest_of, read_keys


def test_a_new_key_is_shown_once_and_its_entry_holds_only_the_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--new-key", "forum"]) == 0
    said = capsys.readouterr()
    key = said.err.splitlines()[0].rpartition(" ")[2]
    entry = yaml.safe_load(said.out)["keys"]["forum"]
    assert entry == {"sha256": digest_of(key)}
    assert key not in said.out
    assert run(["serve", "--new-key", "forum"]) == 0
    assert key not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["123", "yes", "the forum's: #1", "no 'quotes\" left", "Zoë"])
def test_an_entry_is_read_under_the_name_that_was_given_also_behind_another(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.yaml"
    assert run(["serve", "--new-key", "forum"]) == 0
    first = capsys.readouterr()
    assert "tail -n +2 >> keys.yaml" in first.err
    assert run(["serve", "--new-key", name]) == 0
    _, *entry = capsys.readouterr().out.splitlines(keepends=True)
    file.write_text(first.out + "".join(entry), encoding="utf-8")
    assert list(read_keys(file)) == ["forum", name]


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_a_caller_needs_a_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--new-key", name]) == 2
    assert "printable characters" in capsys.readouterr().err


def test_a_setting_that_does_not_fit_ends_before_a_port_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--port", "70000"]) == 5
    assert "'port'" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "server"), [("serve", "crossguard.serving"), ("review", "crossguard.review")])
def test_sigterm_during_a_start_ends_it(command: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps from the first process of a container what it does not handle."""
    pytest.importorskip("sqlalchemy", reason="the console belongs to crossguard[review]")
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr("crossguard.serving.logs.configure", lambda *_: None)
    monkeypatch.setattr(f"{server}.server.serve", lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert run([command]) == 0
    assert ended == [0]


def test_variables_of_the_review_console_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of variables is often read by both containers."""
    monkeypatch.setattr("crossguard.serving.server.serve", lambda _: None)
    monkeypatch.setattr("crossguard.serving.logs.configure", lambda *_: None)
    monkeypatch.setenv("CROSSGUARD_REVIEW_DATABASE", "review.sqlite")
    monkeypatch.setenv("CROSSGUARD_PROT", "1")
    told: list[str] = []
    monkeypatch.setattr("crossguard.serving.logs.event", lambda *_, message: told.append(message))
    assert run(["serve"]) == 0
    assert len(told) == 1
    assert "CROSSGUARD_PROT " in told[0]


def test_a_key_without_the_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "crossguard.serving.keys", None)
    assert run(["serve", "--new-key", "forum"]) == 6
    assert "pip install 'crossguard[serve]'" in capsys.readouterr().err
