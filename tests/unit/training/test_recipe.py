"""What a recipe accepts, and how it says no."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch", reason="recipes belong to crossguard[train]")

from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe, Source
from crossguard.training.recipes import load, shipped, to_yaml

SOURCES = Path(__file__).parents[3] / "src" / "crossguard"
CARDS = {"clip-fusion": "clip_fusion_card.txt", "siglip2-fusion": "siglip2_fusion_card.txt"}
ROWS = ("clip-fusion", "siglip2-fusion", "clip-mtl", "clip-fusion-weighted", "clip-fusion-big-batch", "compact")


@pytest.mark.data
@pytest.mark.parametrize("name", CARDS)
def test_the_block_of_a_card_is_a_recipe_as_it_stands(shared_data: Path, name: str, tmp_path: Path) -> None:
    card = (shared_data.parent / "seeds" / CARDS[name]).read_text(encoding="utf-8")
    block = dict(re.findall(r"(?<![\w`])([a-z_]+): ([\w./-]+)", card[card.index("# Model Configuration") :]))
    block = {key: value for key, value in block.items() if key in Recipe.model_fields}
    assert len(block) == 27
    path = tmp_path / "card.yaml"
    path.write_text("\n".join(f"{key}: {value}" for key, value in block.items()), encoding="utf-8")

    recipe = load(str(path))

    assert recipe.metric_for_best_model == "roc_macro"
    assert recipe.horizontal_flip is True
    assert recipe.lr_encoder == 1e-5
    own = load(name)
    assert {key: getattr(own, key) for key in block} == {key: getattr(recipe, key) for key in block}


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_loads_and_round_trips(name: str, tmp_path: Path) -> None:
    recipe = load(name)
    assert recipe.description
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(recipe), encoding="utf-8")
    assert load(str(path)) == recipe


def test_every_row_of_the_table_has_a_recipe() -> None:
    assert set(ROWS) <= set(shipped())


def test_a_typo_gets_a_suggestion_and_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("backend: clipp\nlr_heads: 1e-3\nnum_train_epochs: 0\nprecision: fp8\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    message = str(caught.value)
    assert "Did you mean 'lr_head'?" in message
    assert "num_train_epochs" in message
    assert "precision" in message
    assert "3 problems" in message


def test_settings_that_contradict_each_other_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("backend: siglip\nmax_text_length: 77\nhead_hidden_dim: 8\naug_scale_min: 1\naug_scale_max: 0.5\n")
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    assert all(word in str(caught.value) for word in ("64 text positions", "head: mtl", "aug_scale_min"))


def test_overrides_reach_into_the_recipe() -> None:
    recipe = load("compact", ["lr_head=3e-4", "sources.mmhs150k.weight=0.5", "label_schemes=[any, consensus]"])
    assert recipe.lr_head == 3e-4
    assert recipe.sources["mmhs150k"].weight == 0.5
    assert recipe.sources["harmeme"].repeat == load("compact").sources["harmeme"].repeat


@pytest.mark.parametrize("override", ["lr_head", "lr_head.x=1"])
def test_a_malformed_override_is_explained(override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load("clip-fusion", [override])


def test_an_unknown_recipe_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'clip-fusion'"):
        load("clip-fuson")


def test_recipes_inherit_and_circles_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: clip-fusion\nlr_head: 1.0e-4\n")
    assert load(str(tmp_path / "a.yaml")).lr_head == 1e-4
    assert load(str(tmp_path / "a.yaml")).fusion_dim == 512
    (tmp_path / "b.yaml").write_text(f"extends: {tmp_path / 'c.yaml'}\n")
    (tmp_path / "c.yaml").write_text(f"extends: {tmp_path / 'b.yaml'}\n")
    with pytest.raises(ConfigError, match="circle"):
        load(str(tmp_path / "b.yaml"))


def test_horizontal_flip_is_off_unless_asked_for() -> None:
    assert Recipe().horizontal_flip is False


@pytest.mark.parametrize("model", [Recipe, Source])
def test_every_setting_is_read_by_the_code(model: type[Recipe | Source]) -> None:
    read = set()
    for path in (*(SOURCES / "training").glob("*.py"), *(SOURCES / "cli").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(model.model_fields) - read == set()


def test_every_setting_is_described() -> None:
    for model in (Recipe, Source):
        assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_the_shipped_yaml_files_hold_only_what_they_change() -> None:
    for name, path in shipped().items():
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert written["description"], name
