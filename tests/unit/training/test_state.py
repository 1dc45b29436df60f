"""Whose the folder of a run is, and that a run goes on only as what it was."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch

from crossguard.errors import ConfigError, OutputError
from crossguard.training.recipe import Recipe
from crossguard.training.state import STATE, RunIdentity, RunState, check_folder, claimed, saved_precision

RUN = RunIdentity(Recipe().model_dump(mode="json"), "posts", 1)


def state_of(average: dict[str, torch.Tensor] | None = None) -> RunState:
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return RunState(model, optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer), average=average)


def test_the_same_run_goes_on() -> None:
    RUN.check(Path("run"), RUN)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(RUN, recipe=Recipe(lr_head=1.0).model_dump(mode="json")), "other settings of lr_head"),
        (replace(RUN, data="others"), "other posts, labels or images"),
        (replace(RUN, processes=2), r"2 processes \(now 1\)"),
    ],
)
def test_another_run_does_not(other: RunIdentity, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RUN.check(Path("run"), other)


def test_a_state_for_which_there_is_no_room_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0\nframe #0: c10")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"Cannot write .*state\.pt.*disk full.*unexpected pos 64 vs 0$"):
        state_of().save(tmp_path, RUN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 40, 800])
def test_a_state_that_was_cut_off_is_told(tmp_path: Path, kept: int) -> None:
    state = state_of()
    state.save(tmp_path, RUN)
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"state\.pt is broken or was cut off \("):
        state.load(tmp_path, RUN)


def test_a_saved_average_goes_into_that_of_the_run_which_may_be_on_a_gpu(tmp_path: Path) -> None:
    state_of({"weight": torch.ones(1, 1)}).save(tmp_path, RUN)
    again = state_of({"weight": torch.zeros(1, 1)})
    assert again.average is not None
    own = again.average["weight"]
    again.load(tmp_path, RUN)
    assert again.average["weight"] is own
    assert own.item() == 1.0


def test_a_state_remembers_what_its_run_started_from(tmp_path: Path) -> None:
    state = state_of()
    state.untrained, state.trained_before = ["image"], [{"name": "posts", "sketch": ["1"]}]
    state.precision = "bf16"
    state.save(tmp_path, RUN)
    assert saved_precision(tmp_path) == "bf16"
    again = state_of()
    again.load(tmp_path, RUN)
    assert (again.untrained, again.trained_before) == (state.untrained, state.trained_before)


def test_a_run_of_another_version_is_told_as_one(tmp_path: Path) -> None:
    torch.save({"progress": {}}, tmp_path / STATE)
    with pytest.raises(ConfigError, match="is a run of another version of Crossguard"):
        saved_precision(tmp_path)


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
    for name in ("log.jsonl", "tokenizer.json", ".state.pt.unfinished", "best.pt", ".lock"):
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


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (None, r"Cannot write '.*cache': No space left.*\. CROSSGUARD_CACHE=FOLDER keeps such files elsewhere\. What"),
        ("cache/pixels", "Cannot write '.*pixels': .* CROSSGUARD_CACHE=FOLDER"),
        ("run/log.jsonl", r"Cannot write '.*log\.jsonl': No space left[^.]*\. What was saved is kept"),
    ],
)
def test_a_full_disk_is_told_by_what_did_not_fit(
    name: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    (tmp_path / STATE).touch()
    with pytest.raises(OutputError, match=told), claimed(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name and str(tmp_path / name))


def test_an_error_of_what_is_read_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError), claimed(tmp_path):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
