"""`crossguard serve` as far as it goes before it serves."""

from __future__ import annotations

import pytest
import yaml

from crossguard.cli import run

pytest.importorskip("starlette", reason="serving belongs to crossguard[serve]")

from crossguard.serving.keys import digest_of


def test_a_new_key_is_shown_once_and_its_entry_holds_only_the_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--new-key", "forum"]) == 0
    said = capsys.readouterr()
    key = said.err.splitlines()[0].rpartition(" ")[2]
    entry = yaml.safe_load(said.out)["keys"]["forum"]
    assert entry == {"sha256": digest_of(key)}
    assert key not in said.out
    assert run(["serve", "--new-key", "forum"]) == 0
    assert key not in capsys.readouterr().err


def test_a_setting_that_does_not_fit_ends_before_a_port_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--port", "70000"]) == 5
    assert "'port'" in capsys.readouterr().err
