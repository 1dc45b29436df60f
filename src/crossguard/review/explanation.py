"""Why a post scores as it does. Other explanations join here, so that pages ask in one place.

The method is leave-one-out: the post is scored again without each word, and the difference is what the word adds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crossguard.errors import InputError
from crossguard.moderator import Moderator

MOST_WORDS: Final = 200
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and what it adds."""

    text: str
    # Score of the label with the word minus without it, in [-1, 1]; None beyond the first `MOST_WORDS`
    effect: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the words of a post add to its highest score."""

    label: str
    score: float  # of the text alone, in [0, 1]
    words: Sequence[Word]

    @property
    def strongest(self) -> float:
        """The largest effect in either direction, at least 0.01, to scale colours by."""
        return max(0.01, max((abs(word.effect) for word in self.words if word.effect is not None), default=0.0))


def explain(moderator: Moderator, text: str, image_text: str = "") -> Explanation:
    """Explains the highest score of a text; one batch through the model.

    Raises:
        InputError: There are no words.
    """
    words = [match.span() for match in _WORD.finditer(text)]
    if not words:
        raise InputError("This post has no text, so there are no words to explain.")
    whole = moderator.score(text=text, image_text=image_text)
    label, score = max(whole.scores.items(), key=lambda entry: entry[1])
    # What stands between words stays, as each line is also scored on its own.
    without = [{"text": text[:start] + text[stop:], "image_text": image_text} for start, stop in words[:MOST_WORDS]]
    # A post of one word has nothing left without it, and is not scored: the word is all of the score.
    scores = [o.scores.get(label, 0.0) for o in moderator.score(without)]
    effects = [score - other for other in scores] + [None] * (len(words) - len(scores))
    return Explanation(label, score, [Word(text[slice(*w)], e) for w, e in zip(words, effects, strict=True)])
