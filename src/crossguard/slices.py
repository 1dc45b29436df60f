"""A post of many windows or frames in pieces, and what the model says of all of them.

The pieces go through the model one after the other, so that no other post waits long behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np

from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.windows import Window
from crossguard.records import Logits

T = TypeVar("T")

# Frames of one post that a batch takes at most, and windows of text; of short windows, as lines are, those that hold no
# more tokens than two windows of the bundled model.
SLICE: Final = 2
TOKENS: Final = 192


def slices(post: Prepared) -> list[Prepared]:
    """Returns a post in pieces of a few windows or frames, or whole.

    A post that has many of both is left whole: its pieces would encode the others again and again. Of windows that are
    alike, the first is enough.
    """
    windows = [*_distinct(post.texts).values()]
    starts = _starts(windows)
    if len(starts) > 1 and len(post.frames) <= 1:
        return [replace(post, texts=part) for part in _pieces(windows, starts)]
    if len(post.frames) > SLICE and len(starts) <= 1:
        return [replace(post, frames=part) for part in _pieces(post.frames, range(0, len(post.frames), SLICE))]
    return [post]


def _distinct(windows: Sequence[Window]) -> dict[int, Window]:
    """Returns the windows that are like none before them, by place."""
    firsts: dict[tuple[int, ...], int] = {}
    for place, window in enumerate(windows):
        firsts.setdefault(window.ids, place)
    return {place: windows[place] for place in firsts.values()}


def _starts(windows: Sequence[Window]) -> list[int]:
    """Returns where slices of windows begin."""
    starts: list[int] = []
    tokens = 0
    for place, window in enumerate(windows):
        tokens += len(window.ids)
        if not starts or (place - starts[-1] >= SLICE and tokens > TOKENS):
            starts.append(place)
            tokens = len(window.ids)
    return starts


def _pieces(whole: Sequence[T], starts: Sequence[int]) -> list[tuple[T, ...]]:
    return [tuple(whole[start:stop]) for start, stop in pairwise((*starts, len(whole)))]


def merged(post: Prepared, parts: Sequence[Logits]) -> Logits:
    """Returns the logits of a post from those of its slices, one row each: the highest of each output."""
    if len(parts) == 1:
        return parts[0]
    whole = stacked(parts)
    best = whole.values.argmax(axis=0)
    columns = np.arange(len(best))
    texts = whole.texts
    windows = _distinct(post.texts)
    starts = _starts([*windows.values()])
    if texts is not None and len(starts) > 1:
        # Windows are counted from the first of their slice.
        texts = np.array([*windows])[np.array(starts)[:, None] + texts]
    best_texts = None if texts is None else texts[best, columns][None]
    return Logits(whole.values[best, columns][None], parts[0].text_weight, best_texts)


def stacked(parts: Sequence[Logits]) -> Logits:
    """Returns the rows of several logits in one."""
    texts = [part.texts for part in parts if part.texts is not None]
    return Logits(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.text_weight for part in parts]),
        np.concatenate(texts) if len(texts) == len(parts) else None,
    )
