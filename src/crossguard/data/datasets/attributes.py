"""Datasets whose annotations are attributes of toxicity, and say of the five labels what they can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import entries, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.data.datasets.text import HARMLESS
from crossguard.labels import ATTRIBUTES, HATE

LONG: Final = 400
HALF: Final = 0.5
# Toxic comments with such a word may attack a group although nobody marked it: their labels stay unknown.
GROUPS: Final = re.compile(
    r"n[i1]gg|fag|dyke|trann|retard|sp[ia]c|kike|chink|paki|cunt|bitch|whore|slut|jew|gay|muslim|islam|black|homo|"
    r"lesb|arab|mexic|indian|women|woman|girl|hindu|christ|catholic|negro|terror|nazi",
    re.IGNORECASE,
)


def jigsaw(raw: Path) -> Iterator[Row]:
    """Yields comments on Wikipedia's talk pages; an attack on an identity is hateful, against whom is not said.

    The stratum of the validation comments that keep the challenge's prevalence ends in `-natural`.
    """
    columns = {
        "toxic": "toxicity",
        "severe_toxic": "severe_toxicity",
        "insult": "insult",
        "threat": "threat",
        "obscene": "profanity",
        "identity_hate": "identity_attack",
    }
    for number, entry in enumerate(entries(raw, "jigsaw_wiki_train_raw.csv", "train.csv")):
        found = {name: float(entry[column]) for column, name in columns.items() if entry[column]}
        text, attack = entry["comment_text"], found.get("identity_attack")
        hateful = 1.0 if attack else None if found["toxicity"] and GROUPS.search(text) else 0.0
        split = split_by_hash(text, 8)
        rare = attack or found.get("threat") or found.get("severe_toxicity")
        natural = split == "val" and bool(entry.get("train_index", "0"))
        stratum = "rare" if rare else "toxic" if found["toxicity"] else "clean"
        stratum += "-natural" if natural else "-long" if len(text) > LONG else ""
        labels = {**(HARMLESS if hateful == 0 else {}), **found}
        yield Row(entry["id"] or f"jigsaw-{number}", text, "", None, split, labels, hateful, stratum)


def civil(raw: Path) -> Iterator[Row]:
    """Yields Civil Comments with shares of annotators; an attack on an identity to half of them is hateful."""
    columns = {
        "toxic_frac": "toxicity",
        "insult_frac": "insult",
        "threat_frac": "threat",
        "identity_attack_frac": "identity_attack",
        "obscene_frac": "profanity",
    }
    for entry in entries(raw, "civil_toxic_spans_agg.csv"):
        found, text = {name: float(entry[column]) for column, name in columns.items()}, entry["comment_text"]
        attack = found["identity_attack"]
        hateful = 1.0 if attack >= HALF else 0.0 if not attack else None
        stratum = "toxic" if found["toxicity"] >= HALF else "clean"
        stratum += "-long" if len(text) > LONG else ""
        labels, split = {**(HARMLESS if hateful == 0 else {}), **found}, split_by_hash(text, 10)
        yield Row(entry["comment_id"], text, "", None, split, labels, hateful, stratum)


def surge(raw: Path) -> Iterator[Row]:
    """Yields comments that two annotators call toxic or not, all as a test split."""
    for number, entry in enumerate(entries(raw, "surge_toxicity_en.csv", "toxicity_en.csv")):
        toxic = float(entry["is_toxic"] == "Toxic")
        stratum = "toxic" if toxic else "none"
        yield Row(f"surge-{number}", entry["text"], "", None, "test", {"toxicity": toxic}, None, stratum)


DATASETS: Final = (
    Dataset("jigsaw", (*HATE.names, *ATTRIBUTES), jigsaw, "jigsaw_wiki_train_raw.csv (or the challenge's train.csv)",
            "Jigsaw / Wulczyn et al., WWW 2017; labels CC0, text CC-BY-SA-3.0",
            "Where negatives were thinned, prevalence is not a feed's; identity terms are over-represented in toxic "
            "comments."),
    Dataset("civil", (*HATE.names, *ATTRIBUTES), civil,
            "civil_toxic_spans_agg.csv with comment_id, comment_text and the shares",
            "Pavlopoulos et al., SemEval 2021, from Civil Comments (Borkan et al., 2019); CC0",
            "Seven of ten comments are toxic: prevalence is not a feed's."),
    Dataset("surge", ATTRIBUTES, surge,
            "surge_toxicity_en.csv (or toxicity_en.csv, its first name) with text, is_toxic", "Surge AI; MIT",
            "A thousand comments, half of them toxic: for measuring."),
)  # fmt: skip
