"""Our own sentences about groups: one name in hateful and in harmless ones, so that a name alone decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from crossguard.data.datasets.raw import require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION: Final = 5


def read(raw: Path) -> Iterator[Row]:
    """Yields every sentence with every name that fits into it."""
    parts = yaml.safe_load(require(raw, "templates.yaml").read_text(encoding="utf-8"))
    for number, (text, label) in enumerate(_sentences(parts)):
        labels = {name: float(name == label) for name in HATE.names}
        stratum = "hate" if label else "none"
        split = split_by_hash(text, VALIDATION)
        yield Row(f"template-{number}", text, "", None, split, labels, float(bool(label)), stratum)


def _sentences(parts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields texts, each with the label that it carries or an empty string."""
    for kind, slot in (("groups", "group"), ("persons", "person")):
        for label, names in parts[kind].items():
            for name, sentence in product(names, parts[f"hateful_to_{kind}"]):
                yield sentence.format(**{slot: name}), label
            for name, sentence in product(names, parts[f"harmless_to_{kind}"]):
                yield sentence.format(**{slot: name}), ""
    for thing, sentence in product(parts["things"], parts["harmless_to_things"]):
        yield sentence.format(thing=thing), ""
    for sentence in parts["everyday"]:
        yield sentence, ""


DATASET = Dataset(
    "templates",
    HATE.names,
    read,
    "templates.yaml; shipped in crossguard/resources/templates",
    "written for Crossguard; MIT",
    "A few hundred sentences: they teach that a group's name is not hate, and little else.",
)
