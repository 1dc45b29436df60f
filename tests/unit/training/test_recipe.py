"""What a recipe accepts, and how it says no."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="recipes belong to crossguard[train]")

from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe, Source
from crossguard.training.recipes import load

SOURCES = Path(__file__).parents[3] / "src" / "crossguard"
CARDS = {"clip-fusion": "clip_fusion_card.txt", "siglip2-fusion": "siglip2_fusion_card.txt"}


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


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("labels: []", "labels is empty"),
        ("label_schemes: []", "label_schemes is empty"),
        ("labels: [rude, rude]", r"name \['rude'\] twice"),
        ("labels: [rude]\nauxiliary: [rude]", r"name \['rude'\] twice"),
        ("label_schemes: [any, any]", r"label_schemes name \['any'\] twice"),
        ("labels: [hateful]", r"\['hateful'\] cannot be labels.*rename it"),
        ("labels: [any]", "a label cannot be called 'any'.*rename it"),
        ("labels: [rude]\nauxiliary: [any]", "a label cannot be called 'any'"),
        ("drop_text: 0.7\ndrop_image: 0.7", "drop_text and drop_image are above 1 together"),
        ("image_dropout: 0.5", "image_dropout needs freeze_image: true and augment: false"),
        ("image_dropout: 0.5\nfreeze_image: true\naugment: true", "image_dropout needs"),
        ("image_size: 1024\naugment: true\naug_scale_min: 0.2", r"aug_scale_min \(0.2\) needs images of 2290 pixels"),
    ],
)
def test_what_no_model_can_have_or_no_training_can_do_is_refused(lines: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(lines)
    with pytest.raises(ConfigError, match=told):
        load(str(tmp_path / "bad.yaml"))


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


def test_a_seed_that_torch_does_not_take_is_refused() -> None:
    assert Recipe(init_seed=2**63 - 1, seed=2**70).init_seed == 2**63 - 1
    with pytest.raises(ValueError, match="init_seed"):
        Recipe(init_seed=2**64)
