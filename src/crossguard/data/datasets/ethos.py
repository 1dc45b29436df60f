"""Hateful comments with their targets (Mollas et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

COLUMNS: Final = {
    "racist": ("race", "national_origin"),
    "sexist": ("gender",),
    "homophobe": ("sexual_orientation",),
    "religion": ("religion",),
    "otherhate": ("disability",),
}
FROM, BELOW = 0.5, 0.2


def read(raw: Path) -> Iterator[Row]:
    """Yields the comments; a label that annotators are divided over is unknown."""
    path = require(raw, "ethos_multi_label.csv", "Ethos_Dataset_Multi_Label.csv")
    for number, entry in enumerate(read_csv(path, ";")):
        shares = {label: max(float(entry[column]) for column in columns) for label, columns in COLUMNS.items()}
        labels = {name: float(share >= FROM) for name, share in shares.items() if not BELOW <= share < FROM}
        yield Row(f"ethos-{number}", entry["comment"], labels=labels, hateful=1.0, stratum="hate")


DATASET = Dataset(
    "ethos",
    HATE.names,
    read,
    "ethos_multi_label.csv",
    "Mollas et al., 2020; GPL-3",
    "433 comments, all hateful: no harmless ones to compare with.",
)
