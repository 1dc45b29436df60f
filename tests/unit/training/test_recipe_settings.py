"""One table gives the defaults, bounds and meanings of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.cli import run
from crossguard.training.recipe import Recipe
from crossguard.training.recipe_settings import markdown, settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "recipes.md"


def test_the_documentation_has_the_tables() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8"), (
        "Replace the tables by the output of: "
        "python -c 'from crossguard.training.recipe_settings import markdown; print(markdown())'"
    )


def test_bounds_and_choices_are_those_that_are_checked() -> None:
    allowed = {one.name: one.allowed for one in settings()}
    assert allowed["layer_decay"] == "> 0, ≤ 1"
    assert allowed["max_batch_tokens"] == "≥ 1"
    assert allowed["head"] == "`fusion`, `mtl`"
    assert allowed["aggregation"] == "`any`, `majority`, `votes`, `unanimous`"


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "--settings"]) == 0
    printed = capsys.readouterr().out
    assert "lr_head (default 0.0005; > 0)\n    Learning rate of everything else." in printed
    assert printed.count("\n") == 2 * len(Recipe.model_fields)
