"""Civil Comments with the share of annotators per attribute, as aggregated by Pavlopoulos et al. (SemEval 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import ATTRIBUTES, HATE

VALIDATION: Final = 10
HALF: Final = 0.5
LONG: Final = 400
COLUMNS: Final = {
    "toxic_frac": "toxicity",
    "insult_frac": "insult",
    "threat_frac": "threat",
    "identity_attack_frac": "identity_attack",
    "obscene_frac": "profanity",
}


def read(raw: Path) -> Iterator[Row]:
    """Yields the comments; one that half of the annotators call an attack on an identity is hateful."""
    for entry in read_csv(require(raw, "civil_toxic_spans_agg.csv")):
        attributes = {name: float(entry[column]) for column, name in COLUMNS.items()}
        attack = attributes["identity_attack"]
        hateful = 1.0 if attack >= HALF else 0.0 if not attack else None
        labels = dict.fromkeys(HATE.names, 0.0) if hateful == 0 else {}
        text = entry["comment_text"]
        stratum = "toxic" if attributes["toxicity"] >= HALF else "clean"
        stratum += "-long" if len(text) > LONG else ""
        split = split_by_hash(text, VALIDATION)
        yield Row(entry["comment_id"], text, "", None, split, labels | attributes, hateful, stratum)


DATASET = Dataset(
    "civil",
    (*HATE.names, *ATTRIBUTES),
    read,
    "civil_toxic_spans_agg.csv with comment_id, comment_text and the shares",
    "Pavlopoulos et al., SemEval 2021, from Civil Comments (Borkan et al., 2019); CC0",
    "Seven of ten comments are toxic: prevalence is not a feed's.",
)
