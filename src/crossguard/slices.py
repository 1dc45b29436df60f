"""A post of many windows or frames in pieces, and what the model says of all of them.

The pieces go through the model one after the other, so that no other post waits long behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.windows import Window
from crossguard.records import Logits

T = TypeVar("T")

# Windows of text, or frames, of one post that a batch takes at most.
SLICE: Final = 2


def slices(post: Prepared) -> list[Prepared]:
    """Returns a post in pieces of a few windows or frames, or whole.

    A post that has several of both is left whole: its pieces would encode the others again and again. Of windows that
    are alike, the first is enough.
    """
    places = _places(post.texts)
    if len(places) > SLICE and len(post.frames) <= 1:
        return [replace(post, texts=part) for part in _pieces([post.texts[place] for place in places])]
    if len(post.frames) > SLICE and len(post.texts) <= 1:
        return [replace(post, frames=part) for part in _pieces(post.frames)]
    return [post]


def _places(windows: Sequence[Window]) -> list[int]:
    """Returns the places of windows that are like none before them."""
    firsts: dict[tuple[int, ...], int] = {}
    for place, window in enumerate(windows):
        firsts.setdefault(window.ids, place)
    return list(firsts.values())


def _pieces(whole: Sequence[T]) -> list[tuple[T, ...]]:
    return [tuple(whole[start : start + SLICE]) for start in range(0, len(whole), SLICE)]


def merged(post: Prepared, parts: Sequence[Logits]) -> Logits:
    """Returns the logits of a post from those of its slices, one row each: the highest of each output."""
    if len(parts) == 1:
        return parts[0]
    whole = stacked(parts)
    best = whole.values.argmax(axis=0)
    columns = np.arange(len(best))
    texts = whole.texts
    places = np.array(_places(post.texts))
    if texts is not None and len(places) > SLICE:
        # Windows are counted from the first of their slice.
        texts = places[np.arange(len(parts))[:, None] * SLICE + texts]
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
