"""Scored posts beside what annotators said: the input of every measurement.

`Sample` holds all labels; `LabelTask` is one yes/no question out of it with only the posts whose answer is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import InputError, suggest

ANY = "any"
Thresholds: TypeAlias = "Mapping[str, float] | NDArray[np.floating] | float"


@dataclass(frozen=True, slots=True, eq=False)
class LabelTask:
    """One yes/no question over m posts with a known answer."""

    name: str  # label, or `any` for "does the post carry any label"
    truth: NDArray[np.bool_]  # (m,)
    scores: NDArray[np.float64]  # (m,), in [0, 1]; higher means more likely yes
    flags: NDArray[np.bool_]  # (m,), what the policy decided
    # int64, (m,), which post of the sample each entry is; pooled tasks name a post several times
    rows: NDArray[np.int64]
    before: NDArray[np.float64] | None = None  # (m,), the scores before a cross-fit; None without one

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def ranks(self) -> NDArray[np.float64]:
        """What posts are ranked by, (m,): each fold of a cross-fit has a scale of its own, so the scores before it."""
        return self.scores if self.before is None else self.before


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """n posts with scores and known labels."""

    labels: tuple[str, ...]  # L names, in column order
    ids: tuple[str, ...]  # n names of posts
    truth: NDArray[np.float64]  # (n, L), 1 yes, 0 no, NaN not annotated
    scores: NDArray[np.float64]  # (n, L), calibrated probabilities in [0, 1]
    flags: NDArray[np.bool_]  # (n, L), score at or above the threshold of its label
    # float64, (n,), whether the post as a whole is hateful: 1, 0, or NaN to derive it from `truth`
    hateful: NDArray[np.float64]
    before: NDArray[np.float64] | None = None  # (n, L), the scores before a cross-fit; None without one
    # int64, (n,), a number that copies of a post share; None where each is alone, or it is not known
    groups: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.labels))
        for name in ("truth", "scores", "flags"):
            if getattr(self, name).shape != shape:
                raise InputError(f"{name} must have the shape {shape}, and has {getattr(self, name).shape}.")
        if np.isnan(self.scores).any():
            bad = self.ids[int(np.argmax(np.isnan(self.scores).any(axis=1)))]
            raise InputError(f"A score must be a number; post '{bad}' has NaN. Leave out posts that were not scored.")
        if not np.isin(self.truth[~np.isnan(self.truth)], (0.0, 1.0)).all():
            raise InputError("truth must hold 1, 0 or NaN; turn vote fractions into yes and no first.")

    @classmethod
    def build(
        cls,
        labels: Sequence[str],
        truth: NDArray[np.float64],
        scores: NDArray[np.float64],
        thresholds: Thresholds = 0.5,
        *,
        ids: Sequence[str] | None = None,
        hateful: NDArray[np.float64] | None = None,
        groups: NDArray[np.int64] | None = None,
    ) -> Sample:
        """Builds a sample from scores and one threshold per label; groups may have any numbers."""
        names, known = tuple(labels), np.asarray(truth, dtype=np.float64)
        limits = [thresholds[name] for name in names] if isinstance(thresholds, Mapping) else thresholds
        wide = np.asarray(scores, dtype=np.float64)
        posts = tuple(ids) if ids is not None else tuple(str(row) for row in range(len(known)))
        whole = np.full(len(posts), np.nan) if hateful is None else np.asarray(hateful, dtype=np.float64)
        owners = None if groups is None else in_turn(groups)
        return cls(names, posts, known, wide, wide >= np.asarray(limits), whole, groups=owners)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def owners(self) -> NDArray[np.int64]:
        """The group of each post, (n,), from 0 on in the order of their first posts: one each where none is known."""
        return np.arange(len(self)) if self.groups is None else in_turn(self.groups)

    @property
    def annotated(self) -> tuple[str, ...]:
        """Labels that at least one post has an answer for; the others cannot be measured here."""
        return tuple(itertools.compress(self.labels, self._known))

    @property
    def _known(self) -> NDArray[np.bool_]:
        """Which labels are annotated, (L,)."""
        return np.asarray(~np.isnan(self.truth).all(axis=0))

    def task(self, label: str) -> LabelTask:
        """Returns one label's question; `any` is the question whether the post is hateful at all.

        Raises:
            InputError: No such label.
        """
        if label == ANY:
            return self._any()
        if label not in self.labels:
            raise InputError(f"Unknown label '{label}'.{suggest(label, [*self.labels, ANY])}")
        column = self.labels.index(label)
        before = None if self.before is None else self.before[:, column]
        return _task(label, self.truth[:, column], self.scores[:, column], self.flags[:, column], before)

    def tasks(self) -> tuple[LabelTask, ...]:
        """Returns the question of every annotated label."""
        return tuple(self.task(name) for name in self.annotated)

    def complete(self) -> NDArray[np.bool_]:
        """Returns which posts have an answer for every annotated label, (n,)."""
        return _complete(self.truth)

    def correct(self) -> NDArray[np.bool_]:
        """Returns whether all annotated labels of a post are decided right, (n,); only for complete posts."""
        right = self.flags == (self.truth > 0)
        return np.asarray(right[:, self._known].all(axis=1))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Sample:
        """Returns some of the posts, by index or mask."""
        own = {name: getattr(self, name)[rows] for name in ("truth", "scores", "flags", "hateful")}
        own |= {name: None if (kept := getattr(self, name)) is None else kept[rows] for name in ("before", "groups")}
        return replace(self, ids=tuple(np.asarray(self.ids, dtype=object)[rows]), **own)

    def _any(self) -> LabelTask:
        """Highest score and any flag against `overall`.

        Where the post as a whole is not told, a label that is annotated for no post is left out: nobody can say whether
        its flags are right.
        """
        counted = ~np.isnan(self.hateful)[:, None] | self._known
        scores, flags = np.where(counted, self.scores, 0.0).max(axis=1), (self.flags & counted).any(axis=1)
        before = None if self.before is None else np.where(counted, self.before, 0.0).max(axis=1)
        return _task(ANY, overall(self.truth, self.hateful), scores, np.asarray(flags), before)


def overall(truth: NDArray[np.float64], hateful: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns whether posts are hateful at all, (n,): 1, 0 or NaN, as told, else by labels if all of them are answered.

    Of a post that lacks an answer, one yes would settle it, too. But then only those with a yes counted, and no
    harmless one: precision would be too high.

    Args:
        truth: (n, L), 1 yes, 0 no, NaN not annotated; labels that are annotated for no post do not count.
        hateful: (n,), what is told of the post as a whole: 1, 0 or NaN.
    """
    by_labels = np.where(_complete(truth), (truth > 0).any(axis=1), np.nan)
    return np.where(np.isnan(hateful), by_labels, hateful)


def _complete(truth: NDArray[np.float64]) -> NDArray[np.bool_]:
    answered = ~np.isnan(truth)
    known = answered.any(axis=0)
    return np.asarray(answered[:, known].all(axis=1)) & known.any()


def in_turn(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the same groups, (n,), numbered from 0 on in the order of their first posts."""
    _, firsts, own = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(firsts))[own])


def pool(tasks: Sequence[LabelTask]) -> LabelTask:
    """Returns all questions as one, for micro averages."""
    columns = ("truth", "scores", "flags", "rows", "ranks")
    return LabelTask("micro", *(np.concatenate([getattr(task, name) for task in tasks]) for name in columns))


def _task(
    name: str,
    truth: NDArray[np.float64],
    scores: NDArray[np.float64],
    flags: NDArray[np.bool_],
    before: NDArray[np.float64] | None,
) -> LabelTask:
    rows = np.flatnonzero(~np.isnan(truth))
    return LabelTask(name, truth[rows] > 0, scores[rows], flags[rows], rows, None if before is None else before[rows])
