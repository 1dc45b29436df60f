"""Whose the folder of a run is."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.errors import ConfigError, OutputError
from crossguard.training.run_folder import check_folder, claimed
from crossguard.training.state import STATE


@pytest.mark.parametrize("name", ["bundle.json", "model.safetensors", "notes.txt"])
def test_a_folder_with_something_else_in_it_is_not_written_over(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=rf"which a run may replace: {name}\. Give a new folder"):
        check_folder(tmp_path, resume=False)


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / STATE).touch()
    with pytest.raises(ConfigError, match="--resume"):
        check_folder(tmp_path, resume=False)


def test_only_a_folder_that_holds_a_run_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no run to resume"):
        check_folder(tmp_path / "new", resume=True)
    assert not (tmp_path / "new").exists()
    (tmp_path / STATE).touch()
    check_folder(tmp_path, resume=True)


def test_what_a_start_left_before_its_first_state_is_no_obstacle(tmp_path: Path) -> None:
    check_folder(tmp_path / "new", resume=False)
    (tmp_path / "tensorboard").mkdir()
    for name in ("log.jsonl", "tokenizer.json", "state.pt.draft", "best.pt", ".lock"):
        (tmp_path / name).touch()
    check_folder(tmp_path, resume=False)


def test_one_run_at_a_time_writes_into_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed(tmp_path / "run"):
        with pytest.raises(OutputError, match="Another run writes into"), claimed(tmp_path / "run"):
            pass
        monkeypatch.setenv("RANK", "1")
        with claimed(tmp_path / "run"):  # another process of the same run
            pass
        monkeypatch.delenv("RANK")
    with claimed(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write into"), claimed(tmp_path / "file" / "run"):
        pass


@pytest.mark.parametrize("saved", [False, True])
def test_a_run_that_cannot_write_can_be_resumed_where_a_state_is_saved(tmp_path: Path, *, saved: bool) -> None:
    if saved:
        (tmp_path / STATE).touch()
    with pytest.raises(OutputError, match="Disk full") as caught, claimed(tmp_path):
        raise OutputError("Disk full.")
    assert ("continue with --resume" in str(caught.value)) == saved
