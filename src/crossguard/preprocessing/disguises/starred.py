"""Letters that signs hide: `f**k`, `n****r`, `sh**`, `k_ll`."""

from __future__ import annotations

import re
from typing import Final

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.patterns import SHORT

# Where several letters are hidden, one sign stands for each of them. At the end only stars do: a dash breaks off.
STARRED: Final = re.compile(r"(?<![^\W_])[a-z]++(?:(?:[*#%?]+|_+|-{2,})[a-z]++)*+(?:\*{2,})?(?![^\W_])", re.IGNORECASE)
HIDING: Final = re.compile(r"[*#%?_-]")
ONE_HIDDEN: Final = re.compile(r"[a-z]+[*#%?_][a-z]+")


def starred(text: str, lexicon: Lexicon) -> str:
    """Finds the letters that signs hide: of a word that is often hidden, or else of any word that lacks one letter."""

    def read(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = HIDING.sub(" ", word).split()
        bare = "".join(parts)
        if bare == word or _lacks_nothing(parts, bare, lexicon):
            return match[0]
        pattern = HIDING.sub("*", word)
        hidden = lexicon.hidden(pattern)
        if hidden is None and ONE_HIDDEN.fullmatch(word) and (len(bare) >= SHORT or "*" in word):
            hidden = lexicon.filled(pattern)
        return hidden or match[0]

    return STARRED.sub(read, text) if HIDING.search(text) else text


def _lacks_nothing(parts: list[str], bare: str, lexicon: Lexicon) -> bool:
    """Returns whether signs stand in a word, behind one, or between words."""
    if len(bare) >= SHORT and bare in lexicon:
        return True
    return len(bare) > 1 and all(map(lexicon.common, parts))
