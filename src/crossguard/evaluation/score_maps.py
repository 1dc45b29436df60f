"""Fits a monotone map between two scorers from posts that both have scored.

A piecewise linear function with non-negative steps is fitted by least squares under a penalty on its bends, as in
monotone penalised regression splines (Pya and Wood, 2015, doi:10.1007/s11222-013-9448-7); isotonic regression, which
bends where it likes, is the candidate for pairs without noise. Cross-validation chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold

from crossguard.decision.calibration import Floats, MonotoneMap
from crossguard.errors import InputError
from crossguard.evaluation.bootstrap import bootstrap
from crossguard.evaluation.sample import in_turn

Knots: TypeAlias = tuple[Floats, Floats]
Fit: TypeAlias = Callable[[Floats, Floats], Knots]

MIN_PAIRS: Final = 50
PENALTIES: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FOLDS: Final = 5
QUANTILES: Final = 20
MIN_GAP: Final = 0.01
TOLERANCE: Final = 0.001
BOOTSTRAPS: Final = 1000
CHANCE: Final = 0.05


class FittedMap(NamedTuple):
    """A map, and what it does to posts that had no part in it."""

    map: MonotoneMap
    held_out: Floats  # (posts,): mapped scores of one pair of each post, in [0, 1]
    theirs: Floats  # (posts,): the other scorer's of these pairs


class Reached(NamedTuple):
    """How many posts reach a threshold."""

    theirs: int  # by the other scorer's scores
    here: int  # by mapped scores
    both: int
    as_many: float | None  # mapped score that as many posts reach as the threshold by the other scorer's; None for none

    @property
    def by_chance(self) -> bool:
        """Whether the first two numbers differ by no more than chance explains (McNemar's exact test, at 5 %)."""
        alone = (self.theirs - self.both, self.here - self.both)
        return sum(alone) == 0 or float(binomtest(min(alone), sum(alone)).pvalue) > CHANCE


def reached(fitted: FittedMap, threshold: float) -> Reached:
    """Compares on held-out posts what a threshold does to the other scorer's scores and to mapped ones."""
    theirs, here = fitted.theirs >= threshold, fitted.held_out >= threshold
    count = int(theirs.sum())
    as_many = float(np.sort(fitted.held_out)[-count]) if count else None
    return Reached(count, int(here.sum()), int((theirs & here).sum()), as_many)


def fit_map(ours: Floats, theirs: Floats, groups: NDArray[np.int64] | None = None) -> FittedMap:
    """Returns the map from our scores to theirs, (pairs,), in [0, 1], with its cross-validated error.

    `groups`, (pairs,), are numbers that posts with the same words share; where it is None, pairs with the same scores
    are taken for one post. All pairs count in the map and in its error; each group is wholly in one fold.

    It is a regression, so mapped scores lie nearer to the mean than theirs, and fewer reach a high threshold.

    Raises:
        InputError: Fewer than 50 different posts, or all of ours alike.
    """
    if groups is None:
        groups = np.unique(np.stack([ours, theirs]), axis=1, return_inverse=True)[1]
    owners = in_turn(groups)
    posts = int(owners.max(initial=-1)) + 1
    if posts < MIN_PAIRS:
        raise InputError(f"A map needs at least {MIN_PAIRS} different posts with both scores, and there are {posts}.")
    if np.ptp(ours) < MIN_GAP:
        raise InputError("All of our scores are alike, so nothing can be said of others. Take more varied posts.")
    candidates: list[Fit] = [_isotonic, *(partial(_penalised, penalty) for penalty in PENALTIES)]
    mapped = [_held_out(fit, ours, theirs, owners) for fit in candidates]
    best = int(np.argmin([float(np.mean((found - theirs) ** 2)) for found in mapped]))
    x, y = _thinned(*candidates[best](ours, theirs))
    x, first = np.unique(np.round(x, 6), return_index=True)
    misses, copies = np.bincount(owners, np.abs(mapped[best] - theirs)), np.bincount(owners)
    error = bootstrap(lambda rows: float(misses[rows].sum() / copies[rows].sum()), posts, BOOTSTRAPS)
    fitted = MonotoneMap(
        x=tuple(x.tolist()),
        y=tuple(np.round(y[first], 6).tolist()),
        pairs=posts,
        error=round(error.value or 0.0, 4),
        error_interval=(round(error.low or 0.0, 4), round(error.high or 0.0, 4)),
    )
    ones = np.unique(owners, return_index=True)[1]
    return FittedMap(fitted, np.round(mapped[best], 6)[ones], theirs[ones])


def _held_out(fit: Fit, ours: Floats, theirs: Floats, owners: NDArray[np.int64]) -> Floats:
    mapped = np.zeros(len(ours))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(ours, groups=owners):
        mapped[test] = np.interp(ours[test], *fit(ours[train], theirs[train]))
    return mapped


def _isotonic(ours: Floats, theirs: Floats) -> Knots:
    model = IsotonicRegression(y_min=0, y_max=1).fit(ours, theirs)
    return model.X_thresholds_, model.y_thresholds_


def _penalised(penalty: float, ours: Floats, theirs: Floats) -> Knots:
    knots = _knots(ours)
    hats = np.stack([np.interp(ours, knots, unit) for unit in np.eye(len(knots))], axis=1)
    steps = np.tril(np.ones((len(knots), len(knots))))
    bends = _bends(knots)
    system = np.vstack([hats / np.sqrt(len(ours)), np.sqrt(penalty) * bends]) @ steps
    target = np.concatenate([theirs / np.sqrt(len(ours)), np.zeros(len(bends))])
    return knots, np.clip(steps @ nnls(system, target)[0], 0, 1)


def _knots(ours: Floats) -> Floats:
    """Returns knots where our scores are dense, and a few where they are not, at least a hundredth apart."""
    low, high = ours.min(), ours.max()
    places = np.unique([*np.quantile(ours, np.linspace(0, 1, QUANTILES)), *np.linspace(low, high, QUANTILES // 2)])
    kept = [low]
    for place in places:
        if place - kept[-1] >= MIN_GAP and high - place >= MIN_GAP:
            kept.append(place)
    return np.array([*kept, high])


def _bends(knots: Floats) -> Floats:
    """Returns the matrix that takes values at the knots to their second differences, weighted by width."""
    widths = np.diff(knots)
    rows = np.zeros((max(len(knots) - 2, 0), len(knots)))
    for row, (left, right) in enumerate(pairwise(widths)):
        rows[row, row : row + 3] = [1 / left, -1 / left - 1 / right, 1 / right]
        rows[row] *= np.sqrt((left + right) / 2)
    return rows


def _thinned(x: Floats, y: Floats) -> Knots:
    """Leaves out knots that lie on a line between those that are kept, to a thousandth."""
    kept = [0]
    for end in range(2, len(x)):
        between = slice(kept[-1] + 1, end)
        line = np.interp(x[between], x[[kept[-1], end]], y[[kept[-1], end]])
        if np.abs(line - y[between]).max() > TOLERANCE:
            kept.append(end - 1)
    kept.append(len(x) - 1)
    return x[kept], y[kept]
