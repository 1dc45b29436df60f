"""Words that are misspelt, written as one, or divided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.patterns import HALF, MOST, WORD_IN, words_of

GLUED: Final = 12
GLUED_WORD: Final = re.compile(rf"[a-z]{{{GLUED},}}")
SENTENCE: Final = 20
SHORTEST: Final = 3
# Misspelt words of one text that are corrected at most.
MOST_CORRECTIONS: Final = 64


def respaced(text: str, lexicon: Lexicon) -> str:
    """Moves spaces that stand at the wrong place in most words."""
    words = words_of(text)
    if len(words) <= 3 or lexicon.known(words) >= HALF:  # noqa: PLR2004 fewer may be names
        return text
    parts = [lexicon.split("".join(words_of(part))) or [] for part in re.split(r"[.!?,;]+", text)]
    moved = [word for part in parts for word in part]
    if not moved or lexicon.known(moved) <= max(MOST, lexicon.known(words)) or not _plausible(moved):
        return text
    return ". ".join(" ".join(part) for part in parts if part)


def _plausible(words: list[str]) -> bool:
    """Returns whether these can be the words of a sentence, which are longer than chance makes them."""
    return sum(map(len, words)) >= SHORTEST * len(words)


def sentences(text: str, lexicon: Lexicon) -> str:
    """Sets spaces in sentences that are written as one word."""
    return _divided(text, lexicon, lambda word: len(word) > SENTENCE, lambda parts: lexicon.known(parts) > MOST)


def compounds(text: str, lexicon: Lexicon) -> str:
    """Sets spaces in shorter ones, where all parts are known and no chance."""

    def is_sure(parts: list[str]) -> bool:
        return lexicon.known(parts) == 1 and all(len(part) > 3 or lexicon.common(part) for part in parts)  # noqa: PLR2004

    return _divided(text, lexicon, lambda word: GLUED <= len(word) <= SENTENCE, is_sure)


def _divided(text: str, lexicon: Lexicon, is_meant: Callable[[str], bool], is_sure: Callable[[list[str]], bool]) -> str:
    """Sets spaces in unknown words of a length, where the parts can be the words of a sentence."""

    def divide(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = lexicon.split(word) if is_meant(word) and word not in lexicon else None
        return " ".join(parts) if parts and _plausible(parts) and is_sure(parts) else match[0]

    return WORD_IN.sub(divide, text)


def glued(text: str, lexicon: Lexicon) -> bool:
    """Returns whether a word may be several."""
    return any(word not in lexicon for word in GLUED_WORD.findall(text.lower()))


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
