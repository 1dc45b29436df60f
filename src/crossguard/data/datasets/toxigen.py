"""Statements about groups, hateful or neutral (Hartvigsen et al., ACL 2022): the human-written demonstrations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

_GROUPS: Final = {
    "racist": "asian black chinese immigrant latino mexican middle_east native_american",
    "religion": "jewish muslim",
    "homophobe": "bisexual lgbtq trans",
    "sexist": "women",
    "otherhate": "mental_disability physical_disability",
}
LABEL_OF: Final = {group: label for label, groups in _GROUPS.items() for group in groups.split()}
VALIDATION = 25


def read(raw: Path) -> Iterator[Row]:
    """Yields the statements."""
    for number, entry in enumerate(read_csv(require(raw, "toxigen_demonstrations.csv"))):
        hateful = float(entry["label"] == "hate")
        hit = LABEL_OF[entry["group"]] if hateful else ""
        labels = {name: float(name == hit) for name in HATE.names}
        split = split_by_hash(entry["text"], VALIDATION)
        stratum = "hate" if hateful else "none"
        yield Row(f"toxigen-{number}", entry["text"], split=split, labels=labels, hateful=hateful, stratum=stratum)


DATASET = Dataset(
    "toxigen",
    HATE.names,
    read,
    "toxigen_demonstrations.csv with text, label, group",
    "Hartvigsen et al., ACL 2022; MIT",
    "Written as prompts for a generator: short, blunt, without context.",
)
