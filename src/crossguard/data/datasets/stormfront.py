"""Sentences of a white-supremacist forum, hateful or not (de Gibert et al., ALW 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION: Final = 10
STRATA: Final = {"hate": "hate", "noHate": "none"}


def read(raw: Path) -> Iterator[Row]:
    """Yields the sentences that are hateful or not by themselves; whom a hateful one attacks is unknown."""
    for entry in read_csv(require(raw, "stormfront.csv")):
        stratum = STRATA.get(entry["label"], "")
        hateful = float(stratum == "hate")
        labels = {} if hateful else dict.fromkeys(HATE.names, 0.0)
        split = split_by_hash(entry["text"], VALIDATION)
        yield Row(entry["id"], entry["text"], "", None, split, labels, hateful, stratum, annotated=bool(stratum))


DATASET = Dataset(
    "stormfront",
    HATE.names,
    read,
    "stormfront.csv with id, text, label",
    "de Gibert et al., ALW 2018; CC-BY-SA-3.0-ES",
    "Sentences without their context; harmless ones come from the same forum.",
)
