"""Every flag of the augmentation is alive, and what is random follows from seed, epoch and post."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training.augment import augment_image, dilute, disguise, random_for
from crossguard.training.batches import Batcher
from crossguard.training.pixels import PixelCache
from crossguard.training.recipe import Recipe
from crossguard.training.sources import read_examples
from crossguard.training.tokenizers import write_tokenizer

STILL: dict[str, Any] = {"augment": True, "image_size": 32, "aug_scale_min": 1.0, "color_jitter": False}


def pixels(size: int = 32) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, size=(size, size, 3)).astype(np.uint8)


def versions(recipe: Recipe, size: int = 32) -> list[bytes]:
    return [augment_image(pixels(size), recipe, random_for(recipe, 0, row)).tobytes() for row in range(40)]


def test_nothing_changes_when_every_flag_is_off() -> None:
    assert set(versions(Recipe(**STILL))) == {pixels().tobytes()}


def test_half_of_the_pictures_are_mirrored() -> None:
    found = versions(Recipe(**{**STILL, "horizontal_flip": True}))
    mirrored = pixels()[:, ::-1].tobytes()
    assert set(found) == {pixels().tobytes(), mirrored}
    assert 10 < found.count(mirrored) < 30


@pytest.mark.parametrize("changed", [{"aug_scale_min": 0.5}, {"aug_scale_min": 0.5, "aug_scale_max": 0.5}])
def test_crops_differ(changed: dict[str, float]) -> None:
    recipe = Recipe(**{**STILL, **changed})
    assert recipe.cached_size == 45
    assert len(set(versions(recipe, 45))) == 40
    assert augment_image(pixels(45), recipe, random_for(recipe, 0, 0)).shape == (32, 32, 3)


def test_colours_change_by_about_a_fifth_at_most() -> None:
    recipe = Recipe(**{**STILL, "color_jitter": True})
    grey = np.full((32, 32, 3), 100, dtype=np.uint8)
    means = [augment_image(grey, recipe, random_for(recipe, 0, row)).mean() for row in range(60)]
    assert 79 <= min(means) < 88
    assert 112 < max(means) <= 121


def test_randomness_follows_from_seed_epoch_and_post() -> None:
    recipe = Recipe(seed=3)
    assert random_for(recipe, 1, 2).random() == random_for(recipe, 1, 2).random()
    others = [(Recipe(seed=4), 1, 2), (recipe, 2, 2), (recipe, 1, 3)]
    assert all(random_for(*other).random() != random_for(recipe, 1, 2).random() for other in others)


def test_a_disguise_keeps_the_order_of_the_letters_that_stay() -> None:
    text = "perfectly ordinary sentence"
    disguised = {disguise(text, np.random.default_rng(seed)) for seed in range(200)}
    assert len(disguised) > 100
    whole = [other for other in disguised if "perfectly" not in other and "sentence" not in other]
    assert 20 < len(whole) < 180  # all words, or one or two
    assert text.replace(" ", "") in {other.lower() for other in disguised}
    assert all(other[0].lower() == "p" for other in disguised)
    assert disguise("a b c", np.random.default_rng(0)) == "a b c"


def test_dilution_keeps_the_text_in_one_piece() -> None:
    diluted = {dilute("the text", "one two three", np.random.default_rng(seed)) for seed in range(60)}
    assert all("the text" in other and len(other.split()) == 5 for other in diluted)
    assert {"one two three the text", "the text one two three"} < diluted


def test_texts_are_diluted_with_harmless_ones_alone(tmp_path: Path) -> None:
    labels = {"racist": 0.0, "sexist": 0.0, "homophobe": 0.0, "religion": 0.0, "otherhate": 0.0}
    rows = [
        Row("a", "some harmless words", labels=labels),
        Row("b", "hateful words of somebody", labels=labels | {"sexist": 1.0}),
        Row("c", "words of which little is known", labels={"sexist": 0.0}),
    ]
    write_table(rows, tuple(labels), "t", tmp_path / "t.parquet")
    recipe = Recipe(backend="compact", encoder_name="tiny", dilution=1.0, max_text_length=96)
    examples, _ = read_examples(recipe, tmp_path / "t.parquet")
    encoder = write_tokenizer(recipe, tmp_path / "tokenizer.json")
    batcher = Batcher(recipe, examples, encoder, PixelCache({}, {}, {}))
    plain = batcher.evaluation(np.array([1])).input_ids
    diluted = batcher.training(np.array([1]), epoch=0).input_ids
    assert plain is not None
    assert diluted is not None
    added = diluted.shape[1] - plain.shape[1]
    filler = len(encoder.encode([("some harmless words", "")])[0].ids) - 2
    assert added % filler == 0
    assert added > 0
