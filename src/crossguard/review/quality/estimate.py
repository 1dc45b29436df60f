"""A number with its 95 % interval, and the intervals of proportions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDS: Final = 300
_Z: Final = NormalDist().inv_cdf(0.975)
LEAST_DEFINED: Final = 0.5
"""Part of the bootstrap rounds that must be defined for an interval to be shown."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One measured number.

    Attributes:
        value: None where it is undefined.
        low: Lower end of the 95 % interval, or None.
        high: Upper end, or None.
        count: Items it rests on.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0


def proportion(yes: float, total: float) -> Estimate:
    """Returns a proportion with Wilson's score interval (E. B. Wilson 1927)."""
    if total <= 0:
        return Estimate(None)
    part, z2 = yes / total, _Z**2
    middle = (part + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * math.sqrt(part * (1 - part) / total + z2 / (4 * total**2))
    return Estimate(part, max(middle - half, 0.0), min(middle + half, 1.0), round(total))


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], count: int, seed: int = 0) -> Estimate:
    """Returns a statistic with its percentile interval.

    Args:
        statistic: Takes row numbers, with repeats; NaN where it is undefined.
        count: Number of rows.
        seed: Of the resamples.
    """
    value = statistic(np.arange(count)) if count else float("nan")
    if np.isnan(value):
        return Estimate(None, count=count)
    random = np.random.default_rng(seed)
    return _interval(value, np.array([statistic(random.integers(0, count, count)) for _ in range(ROUNDS)]), count)


def bootstrap_counts(statistic: Callable[[Floats], Floats], counts: NDArray[np.int64], seed: int = 0) -> Estimate:
    """Returns a statistic of how often each kind of row occurs, with its percentile interval; quick for many rows.

    Args:
        statistic: Takes (rounds, kinds) numbers of rows and gives (rounds,) values; NaN where it is undefined.
        counts: (kinds,) numbers of rows.
        seed: Of the resamples.
    """
    count = int(counts.sum())
    if not count:
        return Estimate(None)
    drawn = np.random.default_rng(seed).multinomial(count, counts / count, size=ROUNDS)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, *rounds = statistic(np.vstack([counts, drawn]).astype(np.float64))
    return Estimate(None, count=count) if np.isnan(value) else _interval(float(value), np.array(rounds), count)


def _interval(value: float, rounds: Floats, count: int) -> Estimate:
    defined = rounds[~np.isnan(rounds)]
    if len(defined) < LEAST_DEFINED * ROUNDS:
        return Estimate(value, count=count)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Estimate(value, float(low), float(high), count)
