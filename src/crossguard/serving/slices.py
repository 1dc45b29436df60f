"""Posts that take the model long, in slices between which other posts have their turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np

from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Decision, Logits

T = TypeVar("T")

SLICE: Final = 4
"""Windows of text, or frames, that go through the model at once."""


def slices(post: Prepared) -> list[Prepared]:
    """Returns a post in pieces of a few windows or frames, or whole.

    A post that has several of both is left whole: its pieces would encode the others again and again.
    """
    if len(post.texts) > SLICE and len(post.frames) <= 1:
        return [replace(post, texts=part) for part in _pieces(post.texts)]
    if len(post.frames) > SLICE and len(post.texts) <= 1:
        return [replace(post, frames=part) for part in _pieces(post.frames)]
    return [post]


def _pieces(whole: Sequence[T]) -> list[tuple[T, ...]]:
    return [tuple(whole[start : start + SLICE]) for start in range(0, len(whole), SLICE)]


def merged(parts: Sequence[Logits], texts: Sequence[int]) -> Logits:
    """Returns the logits of a post from those of its slices: the highest of each output.

    Args:
        parts: One row each.
        texts: Which of the post's windows is the first of each slice.
    """
    values = np.concatenate([part.values for part in parts])
    best = values.argmax(axis=0)
    columns = np.arange(values.shape[1])
    windows = None
    if all(part.texts is not None for part in parts):
        shown = np.concatenate([part.texts for part in parts if part.texts is not None])
        shown = np.where(shown < 0, shown, shown + np.array(texts)[:, None])
        windows = shown[best, columns][None]
    return Logits(values[best, columns][None], parts[0].text_weight, windows)


@dataclass(slots=True)
class SlicedPost:
    """A post on its way through the model.

    Attributes:
        moderator: Who scores it.
        post: All of it.
        left: Slices that have not been inferred.
        done: What the model said of the others.
    """

    moderator: Moderator
    post: Prepared
    left: list[Prepared]
    done: list[Logits] = field(default_factory=list)

    def step(self) -> Decision | None:
        """Infers the next slice; returns the decision after the last."""
        self.done.append(self.moderator.infer([self.left.pop(0)]))
        if self.left:
            return None
        starts = [SLICE * index if len(self.post.texts) > SLICE else 0 for index in range(len(self.done))]
        return self.moderator.decide([self.post], merged(self.done, starts))[0]
