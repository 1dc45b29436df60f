"""What counts as a letter, a sign, a word, short, few and most."""

from __future__ import annotations

import re
from typing import Final

from crossguard.preprocessing.disguises.lexicon import WORD

FEW, HALF, MOST = 1 / 3, 0.5, 0.75
# Fewer letters around a sign are `p.m.`, `f(x)` or `a_b`.
SHORT: Final = 4
LETTER: Final = r"[^\W\d_]"
# The vowels of Hebrew, Arabic and the scripts of South and South-East Asia are marks, no letters to `re`.
SIGN: Final = r"(?:[^\w\s\u0591-\u05c7\u064b-\u065f\u0900-\u109f\u1780-\u17d3]|_)"
# With the same gap between all letters: a wider one is between words.
SPACED: Final = re.compile(rf"(?<!\w){LETTER}(?P<gap> {{1,3}}){LETTER}(?:(?P=gap){LETTER})+(?!\w)")
# What follows a letter with the same sign, and a space beside it, before each of three more. `F# C# G# D#` are notes.
SPREAD: Final = rf"(?P<spread> (?!#){SIGN}{{1,3}} ?|(?!#){SIGN}{{1,3}} ){LETTER}(?:(?P=spread){LETTER}){{2}}"
SYMBOL_SET: Final = "[\u2190-\u2bff\U0001f000-\U0001faff]"
# A letter behind four symbols.
EMOJI_WITHIN: Final = re.compile(rf"\A(?:[^{SYMBOL_SET[1:-1]}]*+{SYMBOL_SET}){{4}}[\W\d_]*+{LETTER}")
LONG_RUN: Final = re.compile(r"(?P<run>[A-Za-z])(?P=run){2}")
WORD_IN: Final = re.compile(r"[A-Za-z]+")


def words_of(text: str) -> list[str]:
    """Returns the runs of the letters a to z, in lower case."""
    return WORD.findall(text.lower())
