"""Which label a meme gets, and which stay unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossguard.data.datasets.memes import harmeme, hateful_memes, mmhs150k_words, religious_memes
from crossguard.data.datasets.text import HARMLESS


def lines(path: Path, *entries: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_a_harmless_meme_is_not_hateful_and_of_a_harmful_one_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    meme = {"id": "1", "image": "1.png", "text": "words"}
    lines(tmp_path / "train.jsonl", meme | {"labels": ["very harmful", "individual"]})
    lines(tmp_path / "val.jsonl", meme | {"labels": ["not harmful"]})
    harmful, harmless = harmeme(tmp_path)
    assert (harmful.labels, harmful.hateful, harmful.split) == ({"harm": 1.0}, None, "train")
    assert (harmless.labels, harmless.hateful, harmless.split) == ({"harm": 0.0, **HARMLESS}, 0.0, "val")
    assert harmless.image == tmp_path / "images" / "1.png"
    lines(tmp_path / "test.jsonl", meme | {"labels": ["somewhat harmful"]})
    assert [row.split for row in harmeme(tmp_path)] == ["train", "val", "test"]


def test_hate_against_religion_leaves_other_labels_unknown(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    meme = {"image": "a.png", "text": "words"}
    lines(tmp_path / "labels.jsonl", meme | {"id": 1, "label": 1}, meme | {"id": 2, "label": 0})
    hateful, harmless = religious_memes(tmp_path)
    assert (hateful.labels, hateful.hateful) == ({"religion": 1.0}, 1.0)
    assert (harmless.labels, harmless.hateful) == (HARMLESS, 0.0)


@pytest.mark.parametrize("answer", [{}, {"label": -1}])
def test_memes_of_a_challenge_without_answers_are_not_annotated(tmp_path: Path, answer: dict[str, int]) -> None:
    (tmp_path / "img").mkdir()
    meme = {"id": 7, "img": "img/7.png", "text": "words"}
    for name in ("train", "dev_seen"):
        lines(tmp_path / f"{name}.jsonl", meme | {"label": 1})
    lines(tmp_path / "test_seen.jsonl", meme | answer)
    *known, secret = hateful_memes(tmp_path)
    assert [(row.annotated, row.hateful) for row in known] == [(True, 1.0)] * 2
    assert (secret.annotated, secret.hateful, secret.split) == (False, None, "test")


@pytest.mark.parametrize(
    ("entry", "split", "hateful", "annotated"),
    [
        ({"tweet_text": "t", "majority_hate": 1, "any_hate": 1}, {"test"}, 1.0, True),
        ({"tweet_text": "t", "majority_hate": 0, "any_hate": None}, {"test"}, None, False),
        ({"majority_hate": 1}, {"train", "val"}, 1.0, True),
        ({"majority_hate": 0}, {"train", "val"}, None, True),
        ({"img_text": "short", "majority_hate": 1}, {"train", "val"}, 1.0, False),
    ],
)
def test_tweets_are_kept_for_the_test_and_words_alone_train(
    tmp_path: Path, entry: dict[str, Any], split: set[str], hateful: float | None, annotated: bool
) -> None:
    lines(tmp_path / "train_ocr_binary.jsonl", {"id": "1", "img_text": "the words of an image"} | entry)
    (row,) = mmhs150k_words(tmp_path)
    assert row.split in split
    assert (row.hateful, row.annotated) == (hateful, annotated)
