"""A run goes on only as what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch

from crossguard.errors import ConfigError, OutputError
from crossguard.training.recipe import Recipe
from crossguard.training.state import RunIdentity, RunState

RUN = RunIdentity(Recipe().to_dict(), "posts", 1)


def test_the_same_run_goes_on() -> None:
    RUN.check(Path("run"), RUN)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(RUN, recipe=Recipe(lr_head=1.0).to_dict()), "other settings of lr_head"),
        (replace(RUN, data="others"), "other posts or labels"),
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
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    state = RunState(model, optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer))
    with pytest.raises(OutputError, match=r"Cannot write .*state\.pt.*disk full.*unexpected pos 64 vs 0$"):
        state.save(tmp_path, RUN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 40, 800])
def test_a_state_that_was_cut_off_is_told(tmp_path: Path, kept: int) -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    state = RunState(model, optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer))
    state.save(tmp_path, RUN)
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"state\.pt is broken or was cut off \("):
        state.load(tmp_path, RUN)


def test_a_saved_average_goes_into_that_of_the_run_which_may_be_on_a_gpu(tmp_path: Path) -> None:
    def state(value: float) -> RunState:
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer)
        return RunState(model, optimizer, scheduler, average={"weight": torch.full((1, 1), value)})

    state(1.0).save(tmp_path, RUN)
    again = state(0.0)
    assert again.average is not None
    own = again.average["weight"]
    again.load(tmp_path, RUN)
    assert again.average["weight"] is own
    assert own.item() == 1.0
