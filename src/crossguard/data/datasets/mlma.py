"""Tweets with the sentiment of several annotators (Ousidhoum et al., EMNLP 2019), English part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION: Final = 10
# Annotators name the target of most tweets, of harmless ones too.
TARGETS: Final = {
    "origin": "racist",
    "gender": "sexist",
    "sexual_orientation": "homophobe",
    "religion": "religion",
    "disability": "otherhate",
}
# What a tweet is worth that some annotator calls hateful: the set is noisy.
HATEFUL: Final = 0.7


def read(raw: Path) -> Iterator[Row]:
    """Yields the tweets that some annotator calls hateful, and those that all call normal."""
    for entry in read_csv(require(raw, "mlma_en.csv")):
        hateful = "hateful" in entry["sentiment"]
        stratum = "hate" if hateful else "none" if entry["sentiment"] == "normal" else ""
        label = TARGETS.get(entry["target"])
        labels = ({label: HATEFUL} if label else {}) if hateful else dict.fromkeys(HATE.names, 0.0)
        text = entry["comment_text"].replace("\\u2019", "'").replace("\\u2026", "...").replace("@URL", "")
        split = split_by_hash(text, VALIDATION)
        share = HATEFUL if hateful else 0.0
        yield Row(entry["HITId"], text, "", None, split, labels, share, stratum, annotated=bool(stratum))


DATASET = Dataset(
    "mlma",
    HATE.names,
    read,
    "mlma_en.csv with HITId, comment_text, sentiment, target",
    "Ousidhoum et al., EMNLP 2019; MIT",
    "Noisy: sentiments are a mixture of annotators', and many tweets merely hold a slur.",
)
