"""Words that are misspelt, written as one, or divided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.patterns import HALF, MOST, WORD_IN, words_of
from crossguard.preprocessing.normalization import CAMEL

GLUED: Final = 12
GLUED_WORD: Final = re.compile(rf"[a-z]{{{GLUED},}}")
SENTENCE: Final = 20
# What stands between signs in a sentence that is written as one word.
PHRASE: Final = 5
SHORTEST: Final = 3
# Of shorter words, only those without a vowel tell something.
TELLING: Final = re.compile("[a-z]{4,}|(?<![a-z])[b-df-hj-np-tv-xz]{3}(?![a-z])", re.IGNORECASE)
WITH_APOSTROPHES: Final = re.compile(r"[A-Za-z]+(?:['\u2019][A-Za-z]+)*")
# What stands behind an apostrophe is the rest of a word: `isn't`, `where's`.
SHORTENED: Final = re.compile(r"['\u2019].*")
ALIKE: Final = re.compile(r"([a-z])\1+")
# Names in a text that are looked up at most, since they may be misspelt groups of people.
MOST_NAMES: Final = 16
# Misspelt words of one text that are corrected at most.
MOST_CORRECTIONS: Final = 64


def respaced(text: str, lexicon: Lexicon) -> str:
    """Moves spaces that stand at the wrong place in most words."""
    words = words_of(text)
    if len(words) <= 3 or lexicon.known(words) >= HALF:  # noqa: PLR2004 fewer may be names
        return text
    if sum(word not in lexicon for word in words) <= 1:  # one long word
        return text
    parts = [lexicon.split("".join(words_of(part))) or [] for part in re.split(r"[.!?,;]+", text)]
    moved = [word for part in parts for word in part]
    if not moved or lexicon.known(moved) <= max(MOST, lexicon.known(words)) or not _plausible(moved):
        return text
    return ". ".join(" ".join(part) for part in parts if part)


def _plausible(words: list[str]) -> bool:
    """Returns whether these can be the words of a sentence, which are longer than chance makes them."""
    return sum(map(len, words)) >= SHORTEST * len(words)


def capitals(text: str, lexicon: Lexicon) -> str:
    """Sets spaces where a capital begins a word inside what is written as one."""
    shortest = GLUED if " " in text.strip() else PHRASE

    def divide(match: re.Match[str]) -> str:
        parts = CAMEL.split(match[0])
        words = [SHORTENED.sub("", part).lower() for part in parts]
        word = "".join(words)
        sure = len(word) >= shortest and word not in lexicon and _plausible(words) and lexicon.known(words) > MOST
        # Long ones may be names.
        sure = sure and all(len(word) > SHORTEST or word in lexicon for word in words)
        return " ".join(parts) if sure else match[0]

    return WITH_APOSTROPHES.sub(divide, text)


def sentences(text: str, lexicon: Lexicon) -> str:
    """Sets spaces in sentences that are written as one word."""

    def is_sure(parts: list[str]) -> bool:
        return _plausible(parts) and lexicon.known(parts) > MOST

    divided = _divided(text, lexicon, lambda word: len(word) > SENTENCE, is_sure)
    if " " in text.strip() or not GLUED_WORD.search(text.lower()):
        return divided
    return compounds(divided, lexicon, PHRASE)  # there was no space at all, so that shorter parts lack theirs, too


def compounds(text: str, lexicon: Lexicon, shortest: int = GLUED) -> str:
    """Sets spaces in shorter ones, where all parts are known and no chance."""

    def is_sure(parts: list[str]) -> bool:
        return no_chance(parts, lexicon) and (shortest < GLUED or _plausible(parts))

    return _divided(text, lexicon, lambda word: shortest <= len(word) <= SENTENCE, is_sure)


def _divided(text: str, lexicon: Lexicon, is_meant: Callable[[str], bool], is_sure: Callable[[list[str]], bool]) -> str:
    """Sets spaces in unknown words of a length, where the parts can be the words of a sentence."""

    def divide(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = lexicon.split(word) if is_meant(word) and word not in lexicon else None
        return " ".join(parts) if parts and is_sure(parts) else match[0]

    return WORD_IN.sub(divide, text)


def in_words(letters: str, lexicon: Lexicon) -> bool:
    """Returns whether letters without spaces are several words, all of them known and none the rest of a run."""
    parts = lexicon.split(letters) or [letters]
    return lexicon.known(parts) == 1 and _plausible(parts) and not any(map(ALIKE.fullmatch, parts))


def no_chance(words: list[str], lexicon: Lexicon) -> bool:
    """Returns whether all words are known, and none is so short and rare that other letters make one, too."""
    return lexicon.known(words) == 1 and all(len(word) > SHORTEST or lexicon.common(word) for word in words)


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
        if len(word) < 3 or word in lexicon or not left:  # noqa: PLR2004 too short to tell
            return match[0]
        left -= 1
        found = lexicon.correct(word)
        return match[0] if found is None or (_is_name(match) and found not in lexicon.starred) else found

    return WORD_IN.sub(change, text)


def misspelt(text: str, lexicon: Lexicon) -> bool:
    """Returns whether most longer words are misspelt."""
    # Those with a capital are often names.
    if not _mostly_unknown(TELLING.findall(text), lexicon):
        return False
    long = list(TELLING.finditer(text))
    names = [match[0] for match in long if _is_name(match)][:MOST_NAMES]
    groups = [name for name in names if lexicon.correct(name.lower()) in lexicon.starred]
    return _mostly_unknown([*groups, *(match[0] for match in long if not _is_name(match))], lexicon)


def _mostly_unknown(words: Sequence[str], lexicon: Lexicon) -> bool:
    unknown = [word for word in words if word.lower() not in lexicon]
    # Short ones are known by chance.
    long = sum(len(word) > SHORTEST for word in words) + sum(len(word) <= SHORTEST for word in unknown)
    return len(unknown) > 1 and len(unknown) > HALF * long  # one is no pattern


def _is_name(match: re.Match[str]) -> bool:
    return match.start() > 0 and match[0].istitle()
