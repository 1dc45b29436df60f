"""Memes about religion, hateful or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossguard.data.datasets.raw import read_jsonl, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION = 15


def read(raw: Path) -> Iterator[Row]:
    """Yields the memes; a hateful one carries `religion` and leaves the other labels unknown."""
    require(raw, "images")
    for entry in read_jsonl(require(raw, "labels.jsonl")):
        hateful = float(entry["label"])
        labels = {"religion": 1.0} if hateful else dict.fromkeys(HATE.names, 0.0)
        split = split_by_hash(str(entry["id"]), VALIDATION)
        picture = raw / "images" / entry["image"]
        stratum = "hate" if hateful else "none"
        yield Row(str(entry["id"]), "", entry["text"], picture, split, labels, hateful, stratum)


DATASET = Dataset(
    "religious-memes",
    HATE.names,
    read,
    "images/, labels.jsonl with id, image, label, text",
    "public repost without a stated licence; research use",
    "One source and few religions; memes of one template recur.",
)
