"""Misspelt words."""

from __future__ import annotations

import re
from typing import Final

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.patterns import HALF, WORD_IN, words_of

# Misspelt words of one text that are corrected at most.
MOST_CORRECTIONS: Final = 64


def corrected(text: str, lexicon: Lexicon) -> str:
    """Corrects words where many are misspelt; a few are names and slang."""
    if not misspelt(text, lexicon):
        return text
    left = MOST_CORRECTIONS

    def change(match: re.Match[str]) -> str:
        nonlocal left
        word = match[0].lower()
        if len(word) < 3 or word in lexicon or not left or _is_name(match):  # noqa: PLR2004 too short to tell
            return match[0]
        left -= 1
        return lexicon.correct(word) or match[0]

    return WORD_IN.sub(change, text)


def misspelt(text: str, lexicon: Lexicon) -> bool:
    """Returns whether most longer words are misspelt."""
    # Short words are often known by chance, and those with a capital are often names.
    long = [word for word in words_of(text) if len(word) > 3]  # noqa: PLR2004
    unknown = sum(word not in lexicon for word in long)
    if unknown < 2 or unknown <= HALF * len(long):  # noqa: PLR2004 one is no pattern
        return False
    unnamed = [match[0].lower() for match in WORD_IN.finditer(text) if len(match[0]) > 3 and not _is_name(match)]  # noqa: PLR2004
    unknown = sum(word not in lexicon for word in unnamed)
    return unknown > 1 and unknown > HALF * len(unnamed)


def _is_name(match: re.Match[str]) -> bool:
    return match.start() > 0 and match[0].istitle()
