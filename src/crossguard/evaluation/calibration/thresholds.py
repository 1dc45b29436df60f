"""Thresholds of one label that meet a criterion, and limits of its bands that keep a guarantee.

Every threshold that changes a flag is tried. The limits come from conformal risk control (Angelopoulos et al. 2024) for
two losses that change one way with the limit. Their guarantee is on average over calibration sets, for posts that are
exchangeable with the calibration posts: the same feed, the same annotators. A feed with another base rate keeps both
guarantees, as each looks at one class only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import Floats
from crossguard.errors import InputError
from crossguard.evaluation.calibration.criteria import Criterion


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """What every distinct threshold gives, from the highest (flags nothing) to the lowest (flags all)."""

    scores: Floats  # (k,), the lowest flagged score; 2 where nothing is flagged
    below: Floats  # (k,), the highest score that is not flagged; 0 where all posts are
    hits: Floats  # (k,), weight of the flagged positive posts
    alarms: Floats  # (k,), weight of the flagged negative posts
    positives: float
    negatives: float

    @property
    def precision(self) -> Floats:
        """Precision per threshold; 1 where nothing is flagged."""
        flagged = self.hits + self.alarms
        return np.divide(self.hits, flagged, out=np.ones_like(flagged), where=flagged > 0)

    @property
    def recall(self) -> Floats:
        """Recall per threshold; needs a positive post."""
        return self.hits / self.positives

    @property
    def f1(self) -> Floats:
        """F1 per threshold; needs a positive post."""
        return 2 * self.hits / (self.hits + self.alarms + self.positives)


def sweep(truth: NDArray[np.bool_], scores: Floats, weights: Floats | None = None) -> Sweep:
    """Computes all outcomes of thresholding."""
    count = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ranked, yes = scores[order], np.where(truth, count, 0.0)[order]
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    distinct = ranked[ends]
    hits = np.append(0.0, np.cumsum(yes)[ends])
    flagged = np.append(0.0, np.cumsum(count[order])[ends])
    lowest, below = np.append(2.0, distinct), np.append(distinct, 0.0)
    total, positives = float(count.sum()), float(yes.sum())
    # A threshold of 1 still flags a score of 1, so "flags nothing" exists only below that.
    kept = slice(0 if distinct[0] < 1 else 1, None)
    alarms = (flagged - hits)[kept]
    return Sweep(lowest[kept], below[kept], hits[kept], alarms, positives, total - positives)


def between(low: float, high: float) -> float:
    """Returns the point in (low, high) that lies in the middle, rounded to as few decimals as keep it inside.

    A threshold on a post's own score would change sides with the last digit, or when somebody rounds it. `high` itself
    is returned where no number lies between.
    """
    middle = (low + high) / 2
    rounded = (round(middle, digits) for digits in range(2, 17))
    return next((value for value in rounded if low < value < high), middle if low < middle < high else high)


def fit_threshold(
    criterion: Criterion, truth: NDArray[np.bool_], scores: Floats, weights: Floats | None = None
) -> float:
    """Returns the threshold that meets a criterion best; of equals the highest, which flags fewest posts.

    Raises:
        InputError: The criterion needs positive posts and there are none, or no threshold meets it.
    """
    if criterion.kind == "review-budget":
        return float(fit_budget(criterion.value, scores[:, None], weights)[0])
    if not truth.any():
        raise InputError(f"The criterion {criterion} needs a positive post, and there is none.")
    curve = sweep(truth, scores, weights)
    flagged = curve.hits + curve.alarms
    if criterion.kind == "f1":
        return _best(curve, curve.f1)
    if criterion.kind == "cost":
        return _best(curve, -(criterion.value * curve.alarms + criterion.miss * (curve.positives - curve.hits)))
    if criterion.kind == "recall":
        return _best(curve, np.where(curve.recall >= criterion.value - 1e-12, -flagged, -np.inf))
    reached = (curve.precision >= criterion.value - 1e-12) & (flagged > 0)
    if not reached.any():
        best = curve.precision[flagged > 0].max()
        raise InputError(f"No threshold reaches {criterion}: the highest precision is {best:.3f}. Ask for less.")
    return _best(curve, np.where(reached, curve.recall, -np.inf))


def fit_budget(budget: float, scores: Floats, weights: Floats | None = None) -> Floats:
    """Returns one threshold per label so that at most the share `budget` of posts is flagged by any of them.

    Every label gets the same share of flags of its own; that share is raised until the budget is used up.
    """
    count = np.ones(len(scores)) if weights is None else weights
    curves = [sweep(np.zeros(len(scores), dtype=np.bool_), column, count) for column in scores.T]
    low, high = 0.0, 1.0
    for _ in range(40):
        share = (low + high) / 2
        flags = (scores >= _at_share(curves, share)).any(axis=1)
        low, high = (share, high) if count[flags].sum() <= budget * count.sum() + 1e-9 else (low, share)
    return _at_share(curves, low)


def _at_share(curves: Sequence[Sweep], share: float) -> Floats:
    picks = [np.flatnonzero(curve.alarms <= share * curve.negatives + 1e-9) for curve in curves]
    return np.array([_point(c, int(p[-1])) if len(p) else 1.0 for c, p in zip(curves, picks, strict=True)])


def _best(curve: Sweep, worth: Floats) -> float:
    close = worth >= worth.max() - 1e-12
    return _point(curve, int(np.argmax(close)))


def _point(curve: Sweep, place: int) -> float:
    """A threshold is at most 1, and flags a score of 0 only where it is 0 itself."""
    return between(float(curve.below[place]), min(float(curve.scores[place]), 1.0))


def review_limit(positive: Floats, miss_rate: float) -> float:
    """Returns the highest limit under which a hateful post is missed with probability at most `miss_rate`."""
    return float(np.sort(positive)[_allowed(len(positive), miss_rate, "hateful")])


def block_limit(negative: Floats, block_rate: float) -> float:
    """Returns the lowest limit above which a harmless post lies with probability at most `block_rate`.

    Posts must be blocked only strictly above the limit.
    """
    return float(np.sort(negative)[::-1][_allowed(len(negative), block_rate, "harmless")])


def _allowed(posts: int, rate: float, kind: str) -> int:
    """Returns how many calibration posts may fall on the wrong side: the largest k with (k + 1) / (n + 1) <= rate."""
    allowed = math.floor(rate * (posts + 1) + 1e-9) - 1
    if allowed < 0:
        raise InputError(
            f"A guarantee of {rate:g} needs {math.ceil(1 / rate) - 1} different {kind} posts, and there are "
            f"{posts}. Ask for a higher rate."
        )
    return min(allowed, posts - 1)
