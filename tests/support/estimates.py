"""Reads estimates that must be defined."""

from __future__ import annotations

from typing import NamedTuple

from crossguard.evaluation.estimates import Estimate


class Defined(NamedTuple):
    """An estimate with its interval."""

    low: float
    value: float
    high: float


def defined(estimate: Estimate) -> Defined:
    """Returns an estimate that has a value and both ends."""
    assert estimate.low is not None, estimate
    assert estimate.value is not None, estimate
    assert estimate.high is not None, estimate
    return Defined(estimate.low, estimate.value, estimate.high)


def width(estimate: Estimate) -> float:
    """Returns how wide the interval of an estimate is."""
    low, _, high = defined(estimate)
    return high - low
