"""`crossguard export` and `push`, as people type them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.cli import run

pytest.importorskip("torch", reason="exporting belongs to crossguard[train]")


def test_export_explains_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(tmp_path), str(tmp_path / "out"), "--weight-dtype", "int4"]) == 5
    assert "fp16" in capsys.readouterr().err
    assert run(["export", str(tmp_path), str(tmp_path / "out")]) == 4
    assert "model.safetensors" in capsys.readouterr().err


def test_push_refuses_a_folder_that_is_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["push", str(tmp_path), "me/model"]) == 4
    assert "crossguard export" in capsys.readouterr().err
