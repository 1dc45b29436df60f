"""Comments on Wikipedia's talk pages with the attributes of the Jigsaw challenge (2018)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import ATTRIBUTES, HATE

VALIDATION: Final = 8
LONG: Final = 400
COLUMNS: Final = {
    "toxic": "toxicity",
    "severe_toxic": "severe_toxicity",
    "insult": "insult",
    "threat": "threat",
    "obscene": "profanity",
    "identity_hate": "identity_attack",
}
# Toxic comments with such a word may attack a group although nobody marked it: their labels stay unknown.
GROUPS: Final = re.compile(
    r"n[i1]gg|fag|dyke|trann|retard|sp[ia]c|kike|chink|paki|cunt|bitch|whore|slut|jew|gay|muslim|islam|black|homo|"
    r"lesb|arab|mexic|indian|women|woman|girl|hindu|christ|catholic|negro|terror|nazi",
    re.IGNORECASE,
)


def read(raw: Path) -> Iterator[Row]:
    """Yields the comments; an attack on an identity is hateful, against whom is not said.

    The stratum of the validation comments that keep the challenge's prevalence ends in `-natural`.
    """
    for number, entry in enumerate(read_csv(require(raw, "jigsaw_wiki_train_raw.csv", "train.csv"))):
        attributes = {name: float(entry[column]) for column, name in COLUMNS.items() if entry[column]}
        text = entry["comment_text"]
        hateful = _hateful(text, attributes)
        labels = dict.fromkeys(HATE.names, 0.0) if hateful == 0 else {}
        split = split_by_hash(text, VALIDATION)
        stratum = _stratum(text, attributes, natural=split == "val" and bool(entry.get("train_index", "0")))
        yield Row(entry["id"] or f"jigsaw-{number}", text, "", None, split, labels | attributes, hateful, stratum)


def _hateful(text: str, attributes: dict[str, float]) -> float | None:
    if attributes.get("identity_attack"):
        return 1.0
    if attributes["toxicity"] and GROUPS.search(text):
        return None
    return 0.0


def _stratum(text: str, attributes: dict[str, float], *, natural: bool) -> str:
    rare = attributes.get("identity_attack") or attributes.get("threat") or attributes.get("severe_toxicity")
    kind = "rare" if rare else "toxic" if attributes["toxicity"] else "clean"
    if natural:
        return f"{kind}-natural"
    return f"{kind}-long" if len(text) > LONG else kind


DATASET = Dataset(
    "jigsaw",
    (*HATE.names, *ATTRIBUTES),
    read,
    "jigsaw_wiki_train_raw.csv (or the challenge's train.csv)",
    "Jigsaw / Wulczyn et al., WWW 2017; labels CC0, text CC-BY-SA-3.0",
    "Where negatives were thinned, prevalence is not a feed's; identity terms are over-represented in toxic comments.",
)
