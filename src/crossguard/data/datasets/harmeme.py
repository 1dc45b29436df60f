"""Harm-C: memes about Covid-19, harmful or not (Pramanick et al., Findings of ACL 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossguard.data.datasets.raw import read_jsonl, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

NOT_HARMFUL = "not harmful"


def read(raw: Path) -> Iterator[Row]:
    """Yields the memes of `train.jsonl`, `val.jsonl` and, where it is there, `test.jsonl`.

    A meme that is not harmful is not hateful either; whether a harmful one is, nobody says.
    """
    require(raw, "images")
    files = [("train", require(raw, "train.jsonl")), ("val", require(raw, "val.jsonl")), ("test", raw / "test.jsonl")]
    for split, path in files:
        for entry in read_jsonl(path) if path.is_file() else ():
            grade = entry["labels"][0]
            harmful = grade != NOT_HARMFUL
            labels = {"harm": 1.0} if harmful else dict.fromkeys(("harm", *HATE.names), 0.0)
            picture = raw / "images" / entry["image"]
            hateful = None if harmful else 0.0
            yield Row(str(entry["id"]), "", entry["text"], picture, split, labels, hateful, grade)


DATASET = Dataset(
    "harmeme",
    ("harm", *HATE.names),
    read,
    "images/, train.jsonl, val.jsonl[, test.jsonl] with id, image, labels, text",
    "Pramanick et al., Findings of ACL 2021; research use",
    "Harm is wider than hate: memes against politicians and organisations count.",
)
