"""`crossguard push`, as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.cli import run

pytest.importorskip("torch", reason="uploading belongs to crossguard[train]")


def test_push_refuses_a_folder_that_is_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["push", str(tmp_path), "me/model"]) == 4
    assert "crossguard export" in capsys.readouterr().err
