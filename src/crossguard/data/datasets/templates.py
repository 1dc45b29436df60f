"""Our own sentences about groups: one name in hateful and in harmless ones, so that a name alone decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

import yaml

from crossguard.data.datasets.raw import percent_of, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION: Final = 5
SHORT: Final = ("short_hate", "short_harmless")
HARMLESS_PRODUCTS: Final = (
    ("things", "harmless_to_things"),
    ("unprotected", "rude_to_unprotected"),
    ("unprotected_things", "rude_to_unprotected"),
)
PLAIN: Final = ("everyday", "everyday_more", "rude_to_one", "reclaimed", "homonyms", "more_homonyms")
SHOUTED, LOWERED, FINISHED = 5, 35, 75


def read(raw: Path) -> Iterator[Row]:
    """Yields every sentence with every name that fits into it."""
    parts = yaml.safe_load(require(raw, "templates.yaml").read_text(encoding="utf-8"))
    for number, (text, label, stratum) in enumerate(_sentences(parts)):
        labels = {name: float(name == label) for name in HATE.names}
        split = split_by_hash(text, VALIDATION)
        yield Row(f"template-{number}", text, "", None, split, labels, float(bool(label)), stratum)


def _sentences(parts: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yields texts, each with the label that it carries or an empty string, and its stratum."""
    for text, label in _about_all(parts):
        yield text, label, "hate" if label else "none"
    for text, label in _filled(parts["terms"], "term", parts["hateful_to_terms"], parts["harmless_to_terms"]):
        yield text, label, "hate-terms" if label else "none-terms"


def _about_all(parts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind, slot in (("groups", "group"), ("persons", "person")):
        yield from _filled(parts[kind], slot, parts[f"hateful_to_{kind}"], parts[f"harmless_to_{kind}"])
    for slot in ("group", "person"):
        hateful, harmless = ([text for text in parts[name] if f"{{{slot}}}" in text] for name in SHORT)
        yield from _filled(parts[f"plain_{slot}s"], slot, hateful, harmless)
    yield from _filled(parts["slurs"], "slur", parts["slur_hate"], parts["slur_harmless"])
    for things, sentences in HARMLESS_PRODUCTS:
        for thing, sentence in product(parts[things], parts[sentences]):
            yield sentence.format(thing=thing), ""
    for sentence in (text for name in PLAIN for text in parts[name]):
        yield sentence, ""


def _filled(
    names: dict[str, list[str]], slot: str, hateful: list[str], harmless: list[str]
) -> Iterator[tuple[str, str]]:
    """Yields every sentence with every name, in lower and upper case too, as people write."""
    for label, own in names.items():
        for sentences, carried in ((hateful, label), (harmless, "")):
            for name, sentence in product(own, sentences):
                yield written(sentence.format(**{slot: name})), carried


def written(text: str) -> str:
    """Writes a sentence as people do: in one of several cases, with or without a final mark."""
    kind = percent_of(text)
    if kind < SHOUTED:
        return text.upper() + "!"
    if kind < LOWERED:
        return text.lower()
    if kind < FINISHED and text[-1].isalpha():
        return text[0].upper() + text[1:] + "."
    return text


DATASET = Dataset(
    "templates",
    HATE.names,
    read,
    "templates.yaml; shipped in crossguard/resources/templates",
    "written for Crossguard; MIT",
    "A few hundred sentences, each with many names: they teach what slurs and threats are, and that a name is neither.",
)
