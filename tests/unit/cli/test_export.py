"""`crossguard export`, as people type it."""

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
