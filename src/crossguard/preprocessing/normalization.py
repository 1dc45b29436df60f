"""Cleans raw text before the tokenizer, so that a disguise does not change what a word is.

A normaliser has a name that the bundle stores: a model is always fed by the one that it was trained with.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

NormalizerName: TypeAlias = Literal["none", "social"]

URL: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
MENTION: Final = re.compile(r"(?<![\w.])@\w+")
SPACE: Final = re.compile(r"\s+")
REPEATED: Final = re.compile(r"(\w)\1{3,}")

# Cyrillic and Greek letters that look like a Latin one; used only inside words that also hold Latin letters.
LOOKALIKES: Final = str.maketrans(
    "аеорсухікмтвнѕјԁԛԝАВЕКМНОРСТУХІЅЈαοερτυικνΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxikmtbhsjdqwABEKMHOPCTYXISJaoeptuiknABEZHIKMNOPTYX",
)
WORD: Final = re.compile(r"\w+")


def normalize(text: str, name: NormalizerName) -> str:
    """Returns the text as the named normaliser leaves it; characters that cannot be seen are always removed."""
    return NORMALIZERS[name](text)


def _visible(text: str) -> str:
    """Drops control, zero-width, surrogate and other format characters; white space becomes single spaces."""
    kept = "".join(c if not unicodedata.category(c).startswith("C") else _replacement(c) for c in text)
    return SPACE.sub(" ", kept).strip()


def _replacement(character: str) -> str:
    return " " if character in "\t\n\r\f\v" else ""


def _social(text: str) -> str:
    """For posts: unescape HTML, fold compatibility forms and look-alike letters, shorten links and names."""
    text = unicodedata.normalize("NFKC", html.unescape(text))
    text = _visible(text)
    text = URL.sub(" ", text)
    text = MENTION.sub("@user", text)
    text = WORD.sub(_fold_mixed_scripts, text)
    return SPACE.sub(" ", REPEATED.sub(r"\1\1\1", text)).strip()


def _fold_mixed_scripts(match: re.Match[str]) -> str:
    word = match.group()
    if word.isascii() or not any(c.isascii() and c.isalpha() for c in word):
        return word
    return word.translate(LOOKALIKES)


NORMALIZERS: Final[dict[NormalizerName, Callable[[str], str]]] = {"none": _visible, "social": _social}
