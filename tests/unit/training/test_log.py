"""The log says each step once, whatever happened to the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.errors import OutputError
from crossguard.training.log import RunLog

pytestmark = pytest.mark.filterwarnings("default")


def entries(folder: Path) -> list[tuple[str, int]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [(entry["kind"], entry["step"]) for entry in map(json.loads, lines)]


def test_what_a_killed_run_did_not_save_is_logged_once(tmp_path: Path) -> None:
    with RunLog(tmp_path, 4) as log:
        for step in (1, 2, 3):
            log.step(step, 0, {"loss": 1.0})
        log.metrics(3, 0, {"loss": 1.0})
        log.step(4, 1, {"loss": 1.0})
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind": "tr')  # killed while it wrote
    with RunLog(tmp_path, 4, done=(2, 0)) as log:
        log.step(3, 0, {"loss": 1.0})
        log.metrics(3, 0, {"loss": 1.0})
        log.metrics(3, 0, {"loss": 1.0}, final=True)
    assert entries(tmp_path) == [("train", 1), ("train", 2), ("train", 3), ("eval", 3), ("final", 3)]
    with RunLog(tmp_path, 4, done=(3, 1)) as log:
        log.metrics(3, 0, {"loss": 1.0}, final=True)
    assert [kind for kind, _ in entries(tmp_path)] == ["train", "train", "train", "eval", "final"]


def test_measures_of_the_best_of_several_epochs_are_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = "(epoch 2, the best of 4 on these posts, so rather too high): loss"
    for epochs, told in ((1, "(epoch 2): loss"), (4, best)):
        with RunLog(tmp_path, 1) as log:
            log.metrics(1, 1, {"loss": 1.0}, final=True, best_of=epochs)
        assert f"final weights {told} 1.0000" in capsys.readouterr().err


def test_notes_reach_a_person_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path, 1) as log:
        log.note("precision: fp16 needs a CUDA GPU")
    assert "fp16 needs a CUDA GPU" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_told_by_the_name_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"Cannot write '.*log\.jsonl': No space left"), RunLog(tmp_path, 1) as log:
        log.step(1, 0, {"loss": 1.0})
