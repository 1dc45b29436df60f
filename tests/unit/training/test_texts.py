"""Tokens of posts: as they are served, changed by an epoch, and hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from tests.support.tiny_training import recipe_of

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training.sources import read_examples
from crossguard.training.texts import KNOWN_HARMLESS, Texts
from crossguard.training.tokenizers import write_tokenizer

LABELS = tuple(f"label{number}" for number in range(KNOWN_HARMLESS))


def texts(folder: Path, labels: tuple[str, ...] = LABELS, **settings: Any) -> Texts:
    known = dict.fromkeys(labels, 0.0)
    rows = [Row(str(n), f"harmless sentence {n}", labels=known) for n in range(1, 12)]
    rows.insert(0, Row("0", image=folder / "image.png", labels=known))
    write_table(rows, labels, "posts", folder / "posts.parquet")
    recipe = recipe_of(labels=labels, **settings)
    encoder = write_tokenizer(recipe, folder / "tokenizer.json")
    return Texts(recipe, read_examples(recipe, folder / "posts.parquet")[0], encoder)


def test_without_changes_a_post_is_trained_on_as_it_is_served(tmp_path: Path) -> None:
    plain = texts(tmp_path)
    random = np.random.default_rng(0)
    assert [plain.training(row, 0, random) for row in range(12)] == [plain.evaluation(row) for row in range(12)]
    assert plain.lengths.tolist() == [len(plain.evaluation(row)) for row in range(12)]
    assert plain.lengths[0] == 0


@pytest.mark.parametrize("labels", [LABELS, LABELS[:1]])
def test_lengths_of_an_epoch_are_those_of_its_changed_texts(tmp_path: Path, labels: tuple[str, ...]) -> None:
    diluted = texts(tmp_path, labels, dilution=1.0)
    rows = np.arange(12)
    lengths = diluted.lengths_in(0, rows)
    assert lengths[0] == 0, "there is nothing to dilute"
    assert (lengths[1:] > diluted.lengths[1:]).all()
    assert lengths.tolist() == [len(diluted.training(row, 0, np.random.default_rng(0))) for row in range(12)]
    diluted.forget(0)
    assert diluted.lengths_in(0, rows).tolist() == lengths.tolist(), "the same again, whether it is remembered or not"
    assert diluted.lengths_in(1, rows).tolist() != lengths.tolist()


def test_texts_of_several_windows_are_known(tmp_path: Path) -> None:
    assert not texts(tmp_path).cut.any()
    assert texts(tmp_path, max_text_length=19).cut.tolist() == [False] * 10 + [True] * 2, "two digits more than nine"


def test_hidden_tokens_are_never_special_ones(tmp_path: Path) -> None:
    hidden = texts(tmp_path, mask_tokens=1.0)
    served = hidden.evaluation(5)
    hidden._encoder.special_ids = frozenset({served[0], served[-1]})
    trained = hidden.training(5, 0, np.random.default_rng(0))
    assert (served[0], served[-1]) == (trained[0], trained[-1])
    assert len(set(trained[1:-1])) == 1
