"""Monotone maps from one scale of scores to another, piecewise linear."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel


class MonotoneMap(StrictModel):
    """Reads a score as another scorer would have given it; constant beyond its first and last knot.

    Attributes:
        x: Scores on our scale at the knots, in [0, 1], increasing.
        y: Scores on the other scale, in [0, 1], never decreasing.
        pairs: How many posts with both scores it was fitted on.
        error: Mean absolute error on posts that it was not fitted on (cross-validated).
        error_interval: 95 % interval of that error.
    """

    x: tuple[float, ...] = Field(min_length=2)
    y: tuple[float, ...] = Field(min_length=2)
    pairs: int = Field(default=0, ge=0)
    error: float | None = Field(default=None, ge=0, le=1)
    error_interval: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _monotone(self) -> MonotoneMap:
        if len(self.x) != len(self.y):
            raise ValueError(f"x has {len(self.x)} knots and y has {len(self.y)}; they must be as many")
        if min(*self.x, *self.y) < 0 or max(*self.x, *self.y) > 1:
            raise ValueError("knots must lie in [0, 1]")
        if any(right <= left for left, right in pairwise(self.x)):
            raise ValueError("x must increase from knot to knot")
        if any(right < left for left, right in pairwise(self.y)):
            raise ValueError("y must not decrease")
        return self

    def __call__(self, score: float) -> float:
        """Returns a score on the other scale."""
        return float(np.interp(score, self.x, self.y))
