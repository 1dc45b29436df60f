"""Our own sentences: about groups, one name in hateful and in harmless ones, and harmless short posts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, product
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any, Final

import yaml

from crossguard.data.datasets.raw import percent_of, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import ATTRIBUTES, HATE

HELD_OUT: Final = 5
SHORT: Final = ("short_hate", "short_harmless")
HARMLESS_PRODUCTS: Final = (
    ("things", "harmless_to_things"),
    ("unprotected", "rude_to_unprotected"),
    ("unprotected_things", "rude_to_unprotected"),
)
PLAIN: Final = ("everyday", "everyday_more", "rude_to_one", "reclaimed", "homonyms", "more_homonyms")
SHOUTED, LOWERED, FINISHED = 5, 35, 75


def templates(raw: Path) -> Iterator[Row]:
    """Yields every sentence with every name that fits into it."""
    parts = yaml.safe_load(require(raw, "templates.yaml").read_text(encoding="utf-8"))
    for number, (text, label, stratum) in enumerate(_sentences(parts)):
        labels = {name: float(name == label) for name in HATE.names}
        split = split_by_hash(text, HELD_OUT)
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


SHORT_TEXTS: Final = ("short-texts.yaml", "templates.yaml")
# Many are held out: what is learnt of a word says nothing of the next one.
SHORT_HELD_OUT: Final = 25
RUBBISH: Final = 200
LETTERS_OF_RUBBISH: Final = "asdfghjklqwrtpzxcvbnm"
CAPITALS, TITLES = 20, 40
# Names in templates.yaml that insult, if no more is said.
INSULTING: Final = frozenset({"cripple", "illegals", "handicapped people", "handicapped person"})


def short_texts(raw: Path) -> Iterator[Row]:
    """Yields every text once, a part of them in capitals."""
    parts, names = (yaml.safe_load(require(raw, file).read_text(encoding="utf-8")) for file in SHORT_TEXTS)
    labels = dict.fromkeys((*HATE.names, *ATTRIBUTES), 0.0)
    for number, (text, stratum) in enumerate(dict(chain(_plain(parts), _named(parts, names))).items()):
        split = split_by_hash(f"short {text.lower()}", SHORT_HELD_OUT)
        yield Row(f"short-{number}", text, "", None, split, labels, 0.0, stratum)


def _plain(parts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    random = Random(0)  # noqa: S311 - no secret depends on it
    words = [*ascii_lowercase, *parts["words"].split(), *parts["phrases"]]
    pairs = (" ".join(random.sample(ascii_lowercase, random.randint(2, 4))) for _ in range(60))
    rubbish = ("".join(random.choices(LETTERS_OF_RUBBISH, k=random.randint(2, 9))) for _ in range(RUBBISH))
    for text in (*words, *ascii_lowercase.upper(), *pairs, *rubbish):
        yield _cased(text), "plain"


def _named(parts: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in ("group", "person", "term"):
        lists = [names[key] for key in (f"{kind}s", f"plain_{kind}s") if key in names]
        for name in chain.from_iterable(chain.from_iterable(own.values()) for own in lists):
            for pattern in parts[f"with_{kind}"] if name not in INSULTING else ():
                text = pattern.format(name=name)
                yield from ((_cased(text), "named"), (text.lower(), "named"))


def _cased(text: str) -> str:
    kind = percent_of(text)
    return text.upper() if kind < CAPITALS and len(text) > 1 else text.capitalize() if kind < TITLES else text


DATASETS: Final = (
    Dataset("templates", HATE.names, templates, "templates.yaml; shipped in crossguard/resources/templates",
            "written for Crossguard; MIT",
            "A few hundred sentences, each with many names: they teach what slurs and threats are, and that a name is "
            "neither."),
    Dataset("short-texts", (*HATE.names, *ATTRIBUTES), short_texts,
            "short-texts.yaml and templates.yaml; shipped in crossguard/resources/templates",
            "written for Crossguard; MIT",
            "All harmless: they teach that a short text, a name of a group among them, is no verdict."),
)  # fmt: skip
