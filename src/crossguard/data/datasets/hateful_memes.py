"""Hateful Memes (Kiela et al., NeurIPS 2020): one binary label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_jsonl, require
from crossguard.data.datasets.rows import Dataset, Row

FILES: Final = {"train": "train.jsonl", "val": "dev_seen.jsonl", "test": "test_seen.jsonl"}


def read(raw: Path) -> Iterator[Row]:
    """Yields the memes of the three files; a file without labels gives rows that are not annotated."""
    require(raw, "img")
    for split, name in FILES.items():
        for entry in read_jsonl(require(raw, name)):
            labels = {"hateful_meme": float(entry["label"])} if "label" in entry else {}
            hateful = labels.get("hateful_meme")
            picture = raw / str(entry["img"])
            yield Row(str(entry["id"]), "", str(entry["text"]), picture, split, labels, hateful, annotated=bool(labels))


DATASET = Dataset(
    "hateful-memes",
    ("hateful_meme",),
    read,
    "img/, train.jsonl, dev_seen.jsonl, test_seen.jsonl with id, img, label, text",
    "Kiela et al., NeurIPS 2020; licence of the Hateful Memes challenge",
    "Memes were composed by annotators, with benign confounders; their style is not that of found memes.",
)
