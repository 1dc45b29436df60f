"""What a batch holds, and who makes it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tests.support.tiny_training import batch_of, recipe_of

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training.batches import Batcher, Tensors, _harmless_images
from crossguard.training.forks import load_batches
from crossguard.training.pixels import PixelCache
from crossguard.training.recipe import Recipe
from crossguard.training.run import build_model
from crossguard.training.sources import read_examples
from crossguard.training.tokenizers import write_tokenizer

WORDS = "people write quite different sentences about many different things every morning"
RECIPE = Recipe(backend="compact", encoder_name="tiny", labels=("racist",), text_noise=0.7, mask_tokens=0.2)


def same(one: Tensors, other: Tensors) -> bool:
    return held(one) == held(other)


def held(batch: Tensors) -> dict[str, object]:
    """As numbers, so that a difference is told by name, row and value; unknown ones are -1."""
    tensors = {name: getattr(batch, name) for name in Tensors.__slots__}
    return {name: None if of is None else of.nan_to_num(-1).tolist() for name, of in tensors.items()}


@pytest.fixture
def batcher(tmp_path: Path) -> Batcher:
    return batcher_of([" ".join(WORDS.split()[: 2 + n % 9]) for n in range(24)], tmp_path)


def batcher_of(texts: list[str], tmp_path: Path) -> Batcher:
    gone = tmp_path / "gone.png"
    rows = [
        Row(str(n), text, image=None if text else gone, labels={"racist": float(n % 2)}) for n, text in enumerate(texts)
    ]
    write_table(rows, ("racist",), "posts", tmp_path / "posts.parquet")
    examples, _ = read_examples(RECIPE, tmp_path / "posts.parquet")
    return Batcher(RECIPE, examples, write_tokenizer(RECIPE, tmp_path / "tokenizer.json"), PixelCache({}, {}, {}))


def test_only_images_of_harmless_posts_distract(tmp_path: Path) -> None:
    said = {"harmless": 0.0, "hateful": 1.0, "unknown": None}
    rows = [Row(name, image=tmp_path / name, hateful=hateful) for name, hateful in said.items()]
    write_table(rows, ("racist",), "posts", tmp_path / "posts.parquet")
    examples, _ = read_examples(RECIPE, tmp_path / "posts.parquet")
    assert np.isnan(examples.targets).all(), "whom it attacks is not known"
    assert [path.name for path in _harmless_images(examples) if path] == ["harmless", "unknown"]


# Forking beside the threads of other tests is what training on a GPU does, too.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("epoch", [None, 0, 3])
def test_worker_processes_make_the_batches_that_one_process_makes(batcher: Batcher, epoch: int | None) -> None:
    plan = [np.arange(start, start + 6) for start in range(0, 24, 6)]
    make = batcher.evaluation if epoch is None else partial(batcher.training, epoch=epoch)
    alone = list(load_batches(make, plan, workers=0))
    assert [batch.targets[:, 0].tolist() for batch in alone] == [[0, 1] * 3] * 4, "in the order of the plan"
    ahead = list(load_batches(make, plan, workers=2))
    assert list(map(held, ahead)) == list(map(held, alone))


def test_an_epoch_changes_texts_and_a_measurement_does_not(batcher: Batcher) -> None:
    rows = np.arange(24)
    assert same(batcher.training(rows, 1), batcher.training(rows, 1))
    assert not same(batcher.training(rows, 1), batcher.training(rows, 2))
    assert same(batcher.evaluation(rows), batcher.evaluation(rows))


def test_a_batch_of_posts_whose_images_cannot_be_read_can_be_learnt_from(tmp_path: Path) -> None:
    batch = batcher_of(["", ""], tmp_path).training(np.arange(2), 0)
    assert batch.input_ids is not None
    assert not batch.text_present.any()
    assert not batch.image_present.any()
    present = batch.text_present, batch.image_present
    output = build_model(RECIPE)(batch.input_ids, batch.attention_mask, None, *present, labels=batch.targets)
    output["loss"].backward()
    assert torch.isfinite(output["loss"])


def test_tensors_move_together_and_what_is_absent_stays_so() -> None:
    moved = batch_of(recipe_of()).to(torch.device("meta"))
    present = {name: getattr(moved, name) for name in Tensors.__slots__ if getattr(moved, name) is not None}
    assert {tensor.device.type for tensor in present.values()} == {"meta"}
    assert set(Tensors.__slots__) - set(present) == {"image_features"}
