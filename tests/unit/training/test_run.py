"""What is checked before a run begins."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe
from crossguard.training.run import build_model, check_inputs, train
from crossguard.training.state import STATE
from crossguard.training.tokenizers import write_tokenizer


def recipe(**settings: object) -> Recipe:
    base = {"backend": "clip", "encoder_name": "tiny", "fusion_dim": 8, "image_size": 32}
    return Recipe.model_validate({**base, **settings})


def test_all_that_the_encoders_do_not_take_is_said_at_once(tmp_path: Path) -> None:
    own = recipe(image_size=64, max_text_length=80)
    write_tokenizer(own, tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match="set image_size=32") as caught:
        check_inputs(own, build_model(own), tmp_path / "tokenizer.json")
    assert "set max_text_length=77" in str(caught.value)


def test_a_tokenizer_of_another_encoder_is_noticed(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    path = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel({"word": 99})).save(str(path))
    with pytest.raises(ConfigError, match="99 token ids, and its tokenizer gives 99"):
        check_inputs(recipe(), build_model(recipe()), path)


def test_the_first_weights_follow_from_the_seed_and_frozen_ones_stay() -> None:
    one, other = build_model(recipe()), build_model(recipe(freeze_text=True))
    assert all(bool((a == b).all()) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not any(weight.requires_grad for weight in other.holders()[0].get_submodule("text_model").parameters())
    assert any(weight.requires_grad for weight in other.proj_t.parameters())


def test_a_start_that_is_no_run_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot start from"):
        build_model(recipe(), [tmp_path])


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"")
    with pytest.raises(ConfigError, match="--resume"):
        train(recipe(), tmp_path / "table.csv", tmp_path)
