"""Long posts: cuts token ids into overlapping windows, and says where in the post each window lies."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

Span: TypeAlias = tuple[int, int]

# Neighbours share a third of a window, so that a sentence of up to some thirty tokens is whole in one of them.
OVERLAP: Final = 3
# A long alignment is coarser: chunks of several words, so that its cost stays that of normalising the text once.
CHUNKS: Final = 4096
CHUNK: Final = re.compile(r"\S+")
# Whatever stands between two of it is inside a text.
WORD: Final = "so"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a post's words that the text encoder takes at once."""

    ids: tuple[int, ...]  # token ids, not padded, special tokens included; never empty
    # First character and the one behind the last, in the text as it was written, to the word; None when the window is
    # the whole text, holds none of it, or the place is unknown
    text: Span | None = None
    image_text: Span | None = None  # the same for the words of the image
    undisguised: bool = False  # whether this is not the text as it was written, but what a disguise says
    line: bool = False  # whether this is one line of several


def stretches(length: int, size: int) -> list[Span]:
    """Cuts `length` tokens into overlapping stretches of `size`.

    Returns:
        First token and the one behind the last of each stretch; one stretch when everything fits.
    """
    if length <= size:
        return [(0, length)]
    step = max(1, size - size // OVERLAP)
    return [(start, start + size) for start in (*range(0, length - size, step), length - size)]


def ends(spans: Sequence[Span], most: int) -> list[Span]:
    """Leaves out the middle where there are too many: what is hidden behind padding stands at the end.

    Returns:
        At most `most`: three quarters of them are of the beginning.
    """
    tail = most // 4
    return list(spans) if len(spans) <= most else [*spans[: most - tail], *spans[len(spans) - tail :]]


def pair_sizes(first: int, second: int, budget: int) -> Span:
    """Returns how many tokens of two parts a window holds: the shorter part whole, unless both exceed half of it.

    The same as the truncation `longest_first` of Hugging Face's tokenizers, which the models were trained with.
    """
    if first + second <= budget:
        return first, second
    half = budget // 2
    if min(first, second) > half:
        return (half, budget - half) if first <= second else (budget - half, half)
    return (first, budget - first) if first <= second else (budget - second, second)


class Alignment:
    """Maps places of a normalised text to places of the text as it was written, to the word.

    Words are normalised one by one, and visible characters are counted, so normalisers that join or drop words move a
    place by no more than those words.
    """

    def __init__(self, raw: str, clean: str, normalizer: Callable[[str], str]) -> None:
        words = [match.span() for match in CHUNK.finditer(raw)]
        step = -(-len(words) // CHUNKS) or 1
        groups = [words[start : start + step] for start in range(0, len(words), step)]
        self._chunks = [(group[0][0], group[-1][1]) for group in groups]
        counts = _counts([raw[start:stop] for start, stop in self._chunks], normalizer)
        self._ends = list(accumulate(counts))
        self._clean = list(accumulate((character != " " for character in clean), initial=0))

    def locate(self, span: Span) -> Span | None:
        """Returns the stretch of the written text that became this stretch of the normalised one."""
        if not self._chunks or span[0] >= span[1]:
            return None
        total, scale = self._clean[-1], self._ends[-1]
        first = self._clean[span[0]] * scale // max(total, 1)
        last = max(first, self._clean[span[1]] * scale // max(total, 1) - 1)
        return self._chunks[self._chunk(first)][0], self._chunks[self._chunk(last)][1]

    def _chunk(self, count: int) -> int:
        return min(bisect_right(self._ends, count), len(self._chunks) - 1)


def _counts(chunks: Sequence[str], normalizer: Callable[[str], str]) -> list[int]:
    """Returns how many visible characters each chunk adds."""
    clean = cache(normalizer)  # words come again

    def size(text: str) -> int:
        return len(clean(text)) - clean(text).count(" ")

    def within(before: str, chunk: str) -> int:
        alone = f"{WORD} {chunk} {WORD}"
        joined = clean(alone) == clean(f"{WORD} {before} {WORD}") == clean(f"{WORD} {before} {chunk} {WORD}")
        return 0 if joined else size(alone) - 2 * len(WORD)  # as of mentions

    counts = [within(before, chunk) for before, chunk in pairwise(("", *chunks))]
    _correct(counts, chunks, lambda before, chunk: size(f"{before} {chunk} {WORD}") - size(f"{before} {WORD}"))
    counts.reverse()
    _correct(counts, chunks[::-1], lambda after, chunk: size(f"{WORD} {chunk} {after}") - size(f"{WORD} {after}"))
    return counts[::-1]


def _correct(counts: list[int], chunks: Sequence[str], at_edge: Callable[[str, str], int]) -> None:
    """Corrects what chunks at an edge of the text add, if that is not what they add elsewhere, as of friendly emoji."""
    for index, (outer, chunk) in enumerate(pairwise(("", *chunks))):
        count = at_edge(outer, chunk)
        if count == counts[index] > 0:
            break
        counts[index] = count
