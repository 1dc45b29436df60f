"""Sexism in posts of Reddit and Gab (Kirk et al., SemEval 2023 task 10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

SPLITS: Final = {"train": "train", "dev": "val", "test": "test"}


def read(raw: Path) -> Iterator[Row]:
    """Yields the posts; only `sexist` is known, other hate is not annotated."""
    for entry in read_csv(require(raw, "edos.csv", "edos_labelled_aggregated.csv")):
        sexist = float(entry["label_sexist"] == "sexist")
        stratum = "sexist" if sexist else "none"
        labels = {"sexist": sexist}
        hateful = sexist or None
        yield Row(
            entry["rewire_id"],
            entry["text"],
            split=SPLITS[entry["split"]],
            labels=labels,
            hateful=hateful,
            stratum=stratum,
        )


DATASET = Dataset(
    "edos",
    HATE.names,
    read,
    "edos.csv with rewire_id, text, label_sexist, split",
    "Kirk et al., SemEval 2023; CC0",
    "All annotators are women, by design; posts come from communities known for sexism.",
)
