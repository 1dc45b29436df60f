"""A run goes on only as what it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe
from crossguard.training.state import RunIdentity

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
