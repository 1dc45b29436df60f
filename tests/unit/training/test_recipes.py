"""How recipes are found, inherited and overridden."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch", reason="recipes belong to crossguard[train]")

from crossguard.checked_settings import settings
from crossguard.cli import run
from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe
from crossguard.training.recipe_files import shipped
from crossguard.training.recipes import load, markdown, to_yaml

ROWS = ("clip-fusion", "siglip2-fusion", "clip-mtl", "clip-fusion-weighted", "clip-fusion-big-batch", "compact")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_loads_and_round_trips(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    assert yaml.safe_load(shipped()[name].read_text(encoding="utf-8"))["description"], "one of its own"
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(recipe), encoding="utf-8")
    assert load(str(path)) == recipe


def test_every_row_of_the_table_has_a_recipe() -> None:
    assert set(ROWS) <= set(shipped())


def test_overrides_reach_into_the_recipe() -> None:
    recipe = load("compact", ["lr_head=3e-4", "sources.mmhs150k.weight=0.5", "label_schemes=[any, consensus]"])
    assert recipe.lr_head == 3e-4
    assert recipe.sources["mmhs150k"].weight == 0.5
    assert recipe.sources["harmeme"].repeat == load("compact").sources["harmeme"].repeat


@pytest.mark.parametrize("override", ["lr_head", "lr_head.x=1", "labels=[a", "lr_head=2026-13-01"])
def test_a_malformed_override_is_explained(override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load("clip-fusion", [override])


def test_a_list_without_brackets_is_shown_with_them() -> None:
    with pytest.raises(
        ConfigError, match=r"'labels': is a list; write labels=\[rude, kind\], or labels: \[rude, kind\]"
    ):
        load("harmeme-compact", ["labels=rude, kind"])


def test_an_unknown_recipe_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'clip-fusion'"):
        load("clip-fuson")


def test_what_a_recipe_extends_lies_beside_it_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x" / "deeper").mkdir(parents=True)
    texts = {
        "base.yaml": "extends: compact\nseed: 111\n",
        "x/base.yaml": "extends: deeper/b.yaml\nseed: 222\n",
        "x/deeper/b.yaml": "extends: c.yaml\n",
        "x/deeper/c.yaml": "extends: compact\nfusion_dim: 24\n",
        "x/a.yaml": "extends: base.yaml\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    recipe = load("x/a.yaml")
    assert (recipe.seed, recipe.fusion_dim) == (222, 24)


def test_recipes_inherit_and_circles_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: clip-fusion\nlr_head: 1.0e-4\n")
    assert load(str(tmp_path / "a.yaml")).lr_head == 1e-4
    assert load(str(tmp_path / "a.yaml")).fusion_dim == 512
    (tmp_path / "b.yaml").write_text(f"extends: {tmp_path / 'c.yaml'}\n")
    (tmp_path / "c.yaml").write_text(f"extends: {tmp_path / 'b.yaml'}\n")
    with pytest.raises(ConfigError, match="circle"):
        load(str(tmp_path / "b.yaml"))


PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "recipes.md"


def test_the_documentation_has_the_tables() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8"), (
        "Replace the tables by the output of: "
        "python -c 'from crossguard.training.recipes import markdown; print(markdown())'"
    )


def test_bounds_and_choices_are_those_that_are_checked() -> None:
    allowed = {one.name: one.allowed for one in settings(Recipe)}
    assert allowed["layer_decay"] == "> 0, ≤ 1"
    assert allowed["max_batch_tokens"] == "≥ 1"
    assert allowed["head"] == "`fusion`, `mtl`"
    assert allowed["aggregation"] == "`any`, `majority`, `votes`, `unanimous`"


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "--settings"]) == 0
    printed = capsys.readouterr().out
    assert "lr_head (default 0.0005; > 0)\n    Learning rate of everything else." in printed
    assert printed.count("\n") == 2 * len(Recipe.model_fields)
