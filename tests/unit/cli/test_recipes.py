"""`crossguard recipes`, as people type it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from crossguard.cli import run
from crossguard.training.recipe_files import shipped


@pytest.fixture
def trains() -> None:
    """Skips a test where nothing is installed to train with."""
    pytest.importorskip("torch", reason="training belongs to crossguard[train]")


def test_recipes_are_listed_without_what_trains_by_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torch", "crossguard.training.recipe", "crossguard.training.recipes"):
        monkeypatch.setitem(sys.modules, module, None)
    assert run(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(shipped())
    assert any(line.split()[:3] == ["harmeme-compact", "The", "compact"] for line in lines)
    assert run(["recipes", "clip-mtl"]) == 6
    assert "crossguard[train]" in capsys.readouterr().err


@pytest.mark.usefixtures("trains")
def test_a_recipe_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "clip-mtl", "--set", "seed=7"]) == 0
    printed = capsys.readouterr().out
    assert "head: mtl" in printed
    assert "seed: 7" in printed


@pytest.mark.usefixtures("trains")
def test_a_printed_recipe_is_the_same_recipe_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "clip-mtl", "--set", "lr_head=0.5"]) == 0
    (tmp_path / "own.yaml").write_text(printed := capsys.readouterr().out)
    assert yaml.safe_load(printed)["lr_head"] == 0.5
    assert run(["recipes", str(tmp_path / "own.yaml")]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.usefixtures("trains")
def test_every_setting_is_explained_and_a_wrong_one_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "--settings"]) == 0
    listed = capsys.readouterr().out
    assert "lr_head (default" in listed
    assert run(["recipes", "clip-mtl", "--set", "lr_heads=1"]) == 5
    assert "Did you mean 'lr_head'" in capsys.readouterr().err


def test_a_setting_of_no_recipe_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "--set", "lr_head=1"]) == 2
    assert "--set does nothing without RECIPE" in capsys.readouterr().err


def test_settings_are_those_of_all_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "clip-mtl", "--settings"]) == 2
    assert "--settings does nothing beside RECIPE" in capsys.readouterr().err
