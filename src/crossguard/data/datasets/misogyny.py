"""Reddit posts, misogynistic or not (Guest et al., EACL 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

SPLITS: Final = {"train": "train", "test": "val"}


def read(raw: Path) -> Iterator[Row]:
    """Yields the posts; the authors' test posts are held out here as validation posts."""
    for number, entry in enumerate(read_csv(require(raw, "misogyny_eacl2021.csv"))):
        hateful = float(entry["level_1"] == "Misogynistic")
        labels = {"sexist": 1.0} if hateful else {"sexist": 0.0}
        stratum = "hate" if hateful else "none"
        split = SPLITS[entry["split"]]
        yield Row(f"{entry['id']}-{number}", entry["text"], "", None, split, labels, hateful or None, stratum)


DATASET = Dataset(
    "misogyny",
    HATE.names,
    read,
    "misogyny_eacl2021.csv with id, text, level_1, split",
    "Guest et al., EACL 2021; MIT",
    "A post that is not misogynistic may attack others: only `sexist` is known.",
)
