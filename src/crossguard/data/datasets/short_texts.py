"""Harmless short posts of our own: letters, words, greetings, keyboard rubbish, and names of groups alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any, Final

import yaml

from crossguard.data.datasets.raw import percent_of, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import ATTRIBUTES, HATE

# Many are held out: what is learnt of a word says nothing of the next one.
VALIDATION: Final = 25
RUBBISH: Final = 200
LETTERS_OF_RUBBISH: Final = "asdfghjklqwrtpzxcvbnm"
CAPITALS, TITLES = 20, 40
# Names in templates.yaml that insult, if no more is said.
INSULTING: Final = frozenset({"cripple", "illegals", "handicapped people", "handicapped person"})


def read(raw: Path) -> Iterator[Row]:
    """Yields every text once, a part of them in capitals."""
    parts, names = (yaml.safe_load(require(raw, file).read_text(encoding="utf-8")) for file in FILES)
    labels = dict.fromkeys((*HATE.names, *ATTRIBUTES), 0.0)
    for number, (text, stratum) in enumerate(dict(chain(_plain(parts), _named(parts, names))).items()):
        yield Row(
            f"short-{number}", text, "", None, split_by_hash(f"short {text.lower()}", VALIDATION), labels, 0.0, stratum
        )


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


FILES: Final = ("short-texts.yaml", "templates.yaml")
DATASET = Dataset(
    "short-texts",
    (*HATE.names, *ATTRIBUTES),
    read,
    "short-texts.yaml and templates.yaml; shipped in crossguard/resources/templates",
    "written for Crossguard; MIT",
    "All harmless: they teach that a short text, a name of a group among them, is no verdict.",
)
