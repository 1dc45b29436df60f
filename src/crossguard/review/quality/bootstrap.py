"""Bootstrap intervals of any statistic of rows, and of how often each kind of row occurs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.estimates import Estimate, number

Floats = NDArray[np.float64]
ROUNDS: Final = 300
LEAST_DEFINED: Final = 0.5
"""Part of the bootstrap rounds that must be defined for an interval to be shown."""


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], count: int) -> Estimate:
    """Returns a statistic with its percentile interval.

    Args:
        statistic: Takes row numbers, with repeats; NaN where it is undefined.
        count: Number of rows.
    """
    value = statistic(np.arange(count)) if count else float("nan")
    if np.isnan(value):
        return _estimate(value, np.empty(0), count)
    random = np.random.default_rng(0)
    return _estimate(value, np.array([statistic(random.integers(0, count, count)) for _ in range(ROUNDS)]), count)


def bootstrap_counts(statistic: Callable[[Floats], Floats], counts: NDArray[np.int64]) -> Estimate:
    """Returns a statistic of how often each kind of row occurs, with its percentile interval; quick for many rows.

    Args:
        statistic: Takes (rounds, kinds) numbers of rows and gives (rounds,) values; NaN where it is undefined.
        counts: (kinds,) numbers of rows.
    """
    count = int(counts.sum())
    if not count:
        return Estimate(None)
    drawn = np.random.default_rng(0).multinomial(count, counts / count, size=ROUNDS)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, *rounds = statistic(np.vstack([counts, drawn]).astype(np.float64))
    return _estimate(float(value), np.array(rounds), count)


def _estimate(value: float, rounds: Floats, count: int) -> Estimate:
    return replace(number(value), count=count).with_rounds(rounds, LEAST_DEFINED)
