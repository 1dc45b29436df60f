"""An estimate: a number with its interval, or the reason why there is none.

An undefined estimate is never 0: a recall without a single positive post says nothing about the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# A percentile interval from fewer defined rounds than this would describe the lucky resamples only.
LEAST_DEFINED_SHARE: Final = 0.95
_Z: Final = NormalDist().inv_cdf(0.975)
JEFFREYS: Final = 0.5
"""What H. Jeffreys' prior adds to the number of each answer, so that one that has not come yet is possible."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One measured number."""

    value: float | None  # the number, or None where it is undefined
    low: float | None = None  # lower end of the 95 % interval, or None where there is none
    high: float | None = None  # upper end, or None
    reason: str = ""  # why `value` is None; empty otherwise
    count: int = 0  # posts that it rests on, where that is shown

    @classmethod
    def share(cls, hits: float, of: float, reason: str = "no posts") -> Estimate:
        """Returns `hits / of` with its score interval (E. B. Wilson 1927); without posts, the reason given."""
        if of <= 0:
            return cls.undefined(reason)
        part, spread = hits / of, _Z**2 / of
        middle = (part + spread / 2) / (1 + spread)
        half = math.sqrt(part * (1 - part) * spread + spread**2 / 4) / (1 + spread)
        return cls(part, max(middle - half, 0.0), min(middle + half, 1.0), count=round(of))

    @classmethod
    def undefined(cls, reason: str) -> Estimate:
        """Returns an estimate without a number."""
        return cls(None, reason=reason)

    def with_rounds(self, rounds: NDArray[np.float64], least: float = LEAST_DEFINED_SHARE) -> Estimate:
        """Adds the 95 % percentile interval of bootstrap rounds, (rounds,), if enough of them are defined, not NaN."""
        defined = rounds[~np.isnan(rounds)]
        if self.value is None or len(defined) < max(1, least * len(rounds)):
            return self
        low, high = np.percentile(defined, [2.5, 97.5])
        return replace(self, low=float(low), high=float(high))

    def around_value(self) -> Estimate:
        """Widens the interval to the number: one such as a share of 1 may lie beyond all that is drawn."""
        if self.value is None or self.low is None or self.high is None:
            return self
        return replace(self, low=min(self.low, self.value), high=max(self.high, self.value))

    def with_biased_rounds(self, rounds: NDArray[np.float64]) -> Estimate:
        """Adds the interval of a metric in [0, 1] whose resamples lie above it on average, such as a binned ECE.

        Resampling adds noise to every bin, and the absolute value turns all noise into error. The rounds are therefore
        moved so that their mean is the value itself; their spread is that of the metric.
        """
        defined = rounds[~np.isnan(rounds)]
        if self.value is None or not len(defined):
            return self
        return self.with_rounds(np.clip(rounds - defined.mean() + self.value, 0.0, 1.0))

    def to_dict(self) -> dict[str, Any]:
        """Returns `{"value", "low", "high"}`, or `{"value": None, "reason"}`."""
        if self.value is None:
            return {"value": None, "reason": self.reason}
        return {"value": self.value, "low": self.low, "high": self.high}

    def __str__(self) -> str:
        if self.value is None:
            return f"undefined: {self.reason}"
        return f"{self.short} {self.interval}".rstrip()

    @property
    def short(self) -> str:
        """The number alone with three decimals, or `undefined`."""
        return "undefined" if self.value is None else f"{self.value:.3f}"

    @property
    def interval(self) -> str:
        """The interval alone, or an empty string."""
        return "" if self.low is None or self.high is None else f"[{self.low:.3f}, {self.high:.3f}]"

    @property
    def points(self) -> str:
        """A difference of shares in percentage points, with its interval if it has one, or `undefined`."""
        if self.value is None:
            return "undefined"
        interval = "" if self.low is None or self.high is None else f" [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
        return f"{100 * self.value:+.1f} points{interval}"


def number(value: float, reason: str = "") -> Estimate:
    """Wraps a number; NaN becomes undefined for the reason given."""
    return Estimate.undefined(reason) if math.isnan(value) else Estimate(float(value))


def values(estimates: Mapping[str, Estimate]) -> dict[str, float | None]:
    """Returns the bare numbers, None where undefined."""
    return {name: estimate.value for name, estimate in estimates.items()}


def plain(value: Any) -> Any:
    """Returns records, however nested, as JSON holds them: a record's own `to_dict` where it has one."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value
