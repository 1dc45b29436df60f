"""Tweets that are hate, offensive, or neither (Davidson et al., ICWSM 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

CLASSES: Final = {"0": "hate", "1": "offensive", "2": "neither"}
VALIDATION = 10


def read(raw: Path) -> Iterator[Row]:
    """Yields the tweets; hate is known, its target is not."""
    for entry in read_csv(require(raw, "davidson.csv", "labeled_data.csv")):
        stratum = CLASSES[entry["class"]]
        hateful = float(stratum == "hate")
        labels = {} if hateful else dict.fromkeys(HATE.names, 0.0)
        text = entry["tweet"]
        yield Row(
            entry[""], text, split=split_by_hash(text, VALIDATION), labels=labels, hateful=hateful, stratum=stratum
        )


DATASET = Dataset(
    "davidson",
    HATE.names,
    read,
    "davidson.csv (or labeled_data.csv, its first name)",
    "Davidson et al., ICWSM 2017; MIT",
    "Tweets in African American English are labelled offensive more often (Sap et al., ACL 2019).",
)
