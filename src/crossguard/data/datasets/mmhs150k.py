"""MMHS150K: tweets with pictures, three annotators each (Gomez et al., WACV 2020)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crossguard.data.datasets.raw import require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.errors import TableError
from crossguard.labels import HATE

# Ids in the annotation file: 0 is no hate, so label `k` of the set has id `k + 1`.
IDS: Final = {name: column + 1 for column, name in enumerate(HATE.names)}
SPLITS: Final = {"train": "train_ids.txt", "val": "val_ids.txt", "test": "test_ids.txt"}


def read(raw: Path) -> Iterator[Row]:
    """Yields every id of the split files; those without an entry in the annotation file are not annotated."""
    annotations = _annotations(require(raw, "MMHS150K_GT.json"))
    splits = require(raw, "splits")
    for split, name in SPLITS.items():
        for identifier in require(splits, name).read_text(encoding="utf-8").split():
            entry = annotations.get(identifier)
            yield (
                Row(identifier, split=split, annotated=False) if entry is None else _row(raw, identifier, split, entry)
            )


def _row(raw: Path, identifier: str, split: str, entry: dict[str, Any]) -> Row:
    votes = entry["labels"]
    shares = {name: votes.count(id_) / len(votes) for name, id_ in IDS.items()}
    hateful = sum(vote != 0 for vote in votes) / len(votes)
    picture = raw / "img_resized" / f"{identifier}.jpg"
    text = entry["tweet_text"]
    return Row(
        identifier, text, _words(raw, identifier), picture, split, shares, hateful, "hate" if hateful else "none"
    )


def _words(raw: Path, identifier: str) -> str:
    path = raw / "img_txt" / f"{identifier}.json"
    if not path.is_file():
        return ""
    return str(json.loads(path.read_text(encoding="utf-8")).get("img_text", ""))


def _annotations(path: Path) -> dict[str, dict[str, Any]]:
    try:
        annotations = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise TableError(f"{path} is not JSON: {error}.") from None
    if not isinstance(annotations, dict):
        raise TableError(f"{path} must hold an object from tweet id to annotation.")
    return annotations


DATASET = Dataset(
    "mmhs150k",
    HATE.names,
    read,
    "MMHS150K_GT.json, splits/{train,val,test}_ids.txt, img_resized/<id>.jpg, img_txt/<id>.json",
    "Gomez et al., WACV 2020; research use",
    "Collected by 51 slur keywords; annotators agree little (Fleiss kappa 0.20); reclaimed words are often labelled.",
)
