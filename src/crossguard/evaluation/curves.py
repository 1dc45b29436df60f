"""Points of the curves that a report draws, thinned to what a screen can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from crossguard.evaluation.calibration.thresholds import sweep
from crossguard.evaluation.metrics import BINS, bin_of
from crossguard.evaluation.sample import LabelTask

POINTS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of (x, y) points, each in [0, 1]."""

    name: str
    points: tuple[tuple[float, float], ...]
    sizes: tuple[float, ...] = ()  # share of posts behind each point, for the reliability curve; empty otherwise


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of curves."""

    title: str
    x: str
    y: str
    curves: tuple[Curve | None, ...]  # a curve that is None is left out, and a chart without any says so
    diagonal: bool = False  # whether to draw the line x = y, where guessing or perfect calibration lies
    # Horizontal positions of dashed lines with their names, such as the live threshold
    marks: tuple[tuple[float, str], ...] = ()
    points: tuple[tuple[float, float, str], ...] = ()  # (x, y, name) of the live operating point
    undefined: str = "too few posts of one kind"  # why there is no curve, where there is none


def precision_recall(task: LabelTask) -> Curve | None:
    """Precision over recall, whose area is the average precision; None without a positive post.

    Steps: the precision of a threshold holds down to the recall of the next higher one, that of the highest down to 0.
    """
    if not task.truth.any():
        return None
    precision, recall, _ = precision_recall_curve(task.truth, task.ranks)
    ends = np.stack([recall[:-1], recall[1:]], axis=1)  # the last point, precision 1 at recall 0, is made up
    return _curve(task.name, ends.ravel(), precision[:-1].repeat(2), 2 * POINTS)


def roc(task: LabelTask) -> Curve | None:
    """Recall over false-positive rate; None without both kinds of posts."""
    if not task.truth.any() or task.truth.all():
        return None
    wrong, right, _ = roc_curve(task.truth, task.ranks)
    return _curve(task.name, wrong, right)


def reliability(task: LabelTask) -> Curve | None:
    """Observed share over mean score, one point per filled bin; None with fewer posts than bins."""
    if len(task) < BINS:
        return None
    bins = bin_of(task.scores)
    posts = np.bincount(bins, minlength=BINS)
    filled = posts > 0
    score = np.bincount(bins, weights=task.scores, minlength=BINS)[filled] / posts[filled]
    share = np.bincount(bins, weights=task.truth, minlength=BINS)[filled] / posts[filled]
    sizes = (posts[filled] / len(task)).tolist()
    return Curve(task.name, _points(score, share), tuple(sizes))


def threshold_sweep(task: LabelTask) -> tuple[Curve, ...]:
    """Precision, recall and F1 over the threshold, which are steps; nothing without a positive post.

    Precision ends at the highest score, above which nothing is flagged.
    """
    if not task.truth.any():
        return ()
    found = sweep(task.truth, task.scores)
    flags, all_ = found.hits + found.alarms > 0, slice(None)
    curves = (("precision", found.precision, flags), ("recall", found.recall, all_), ("F1", found.f1, all_))
    # Each value holds from the highest score that is not flagged to the lowest that is, at which it changes.
    ends = np.stack([found.scores.clip(max=1.0), found.below], axis=1)
    return tuple(_curve(name, ends[part].ravel(), y[part].repeat(2), 2 * POINTS) for name, y, part in curves)


class Confusion(NamedTuple):
    """Counts of one label at the live threshold."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @classmethod
    def of(cls, task: LabelTask) -> Confusion:
        """Counts a task."""
        cells = ((True, True), (True, False), (False, True), (False, False))
        return cls(*(int(((task.truth == truth) & (task.flags == flag)).sum()) for truth, flag in cells))


def worst(task: LabelTask, count: int) -> tuple[Sequence[int], Sequence[int]]:
    """Returns rows of the sample: surest false positives, and false negatives with the lowest scores."""
    alarms = np.flatnonzero(task.flags & ~task.truth)
    misses = np.flatnonzero(~task.flags & task.truth)
    alarms = alarms[np.argsort(-task.scores[alarms], kind="stable")[:count]]
    misses = misses[np.argsort(task.scores[misses], kind="stable")[:count]]
    return task.rows[alarms].tolist(), task.rows[misses].tolist()


def _curve(name: str, x: NDArray[np.floating], y: NDArray[np.floating], most: int = POINTS) -> Curve:
    """Keeps both ends and at most so many points, evenly along the line's own length."""
    if len(x) > most:
        length = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        wanted = np.linspace(0.0, length[-1], most)
        keep = np.unique(np.append(np.searchsorted(length, wanted).clip(max=len(x) - 1), [0, len(x) - 1]))
        x, y = x[keep], y[keep]
    return Curve(name, _points(x, y))


def _points(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(x.round(4).tolist(), y.round(4).tolist(), strict=True))
