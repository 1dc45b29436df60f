"""Comments that two annotators call toxic or not (Surge AI)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossguard.data.datasets.raw import read_csv, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import ATTRIBUTES


def read(raw: Path) -> Iterator[Row]:
    """Yields the comments, all as a test split."""
    for number, entry in enumerate(read_csv(require(raw, "surge_toxicity_en.csv", "toxicity_en.csv"))):
        toxic = float(entry["is_toxic"] == "Toxic")
        stratum = "toxic" if toxic else "none"
        yield Row(f"surge-{number}", entry["text"], "", None, "test", {"toxicity": toxic}, None, stratum)


DATASET = Dataset(
    "surge",
    ATTRIBUTES,
    read,
    "surge_toxicity_en.csv (or toxicity_en.csv, its first name) with text, is_toxic",
    "Surge AI; MIT",
    "A thousand comments, half of them toxic: for measuring.",
)
