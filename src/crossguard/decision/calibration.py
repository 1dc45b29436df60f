"""Turns logits into calibrated probabilities.

Applying a calibration needs only numpy and lives here; fitting one needs data and lives in `evaluation/`.
Every map is non-decreasing in the logit, so calibration never changes the order of posts within a label.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel
from crossguard.schema import Probability

Floats: TypeAlias = NDArray[np.float64]


class Identity(StrictModel):
    """The plain sigmoid."""

    kind: Literal["none"] = "none"

    def apply(self, logits: Floats) -> Floats:
        """Returns probabilities for the logits of one label."""
        return sigmoid(logits)


class Platt(StrictModel):
    """`sigmoid(scale * logit + shift)` (Platt 1999); temperature scaling is the case `shift = 0`."""

    kind: Literal["platt"] = "platt"
    scale: float = Field(gt=0)
    shift: float = 0.0

    def apply(self, logits: Floats) -> Floats:
        """Returns probabilities for the logits of one label."""
        return sigmoid(self.scale * logits + self.shift)


class Isotonic(StrictModel):
    """A non-decreasing piecewise linear map from logit to probability (Zadrozny and Elkan 2002)."""

    kind: Literal["isotonic"] = "isotonic"
    logits: tuple[float, ...] = Field(min_length=2)
    probabilities: tuple[Probability, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _monotonic(self) -> Isotonic:
        rising = np.all(np.diff(self.logits) > 0) and np.all(np.diff(self.probabilities) >= 0)
        if len(self.logits) != len(self.probabilities) or not rising:
            raise ValueError(
                "an isotonic map needs increasing logits and as many probabilities, which must not decrease"
            )
        return self

    def apply(self, logits: Floats) -> Floats:
        """Returns probabilities for the logits of one label."""
        return np.interp(logits, self.logits, self.probabilities)


Calibrator: TypeAlias = Annotated[Identity | Platt | Isotonic, Field(discriminator="kind")]


def sigmoid(logits: Floats) -> Floats:
    """Returns `1 / (1 + exp(-x))` without overflow at either end."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def logit(probabilities: Floats | float) -> Floats:
    """Returns the inverse of `sigmoid`; 0 and 1 are moved inside by 1e-12."""
    inside: Floats = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    return np.log(inside) - np.log1p(-inside)


def shift_prior(probabilities: Floats, source: float, target: float) -> Floats:
    """Corrects probabilities for another base rate (Saerens, Latinne and Decaestecker 2002, equation 2.4).

    Args:
        probabilities: (n,), calibrated where the label has the prevalence `source`.
        source: Prevalence in the calibration data, in (0, 1).
        target: Prevalence in the feed, in (0, 1).

    Returns:
        Probabilities for the feed, (n,). Their order is kept.
    """
    return sigmoid(logit(probabilities) + logit(target) - logit(source))


class MonotoneMap(StrictModel):
    """Reads a score as another scorer would have given it; constant beyond its first and last knot."""

    x: tuple[float, ...] = Field(min_length=2)  # scores on our scale at the knots, in [0, 1], increasing
    y: tuple[float, ...] = Field(min_length=2)  # scores on the other scale, in [0, 1], never decreasing
    pairs: int = Field(default=0, ge=0)  # how many different posts with both scores it was fitted on
    # Mean absolute error on posts that it was not fitted on (cross-validated)
    error: Probability | None = None
    error_interval: tuple[float, float] | None = None  # 95 % interval of that error

    @model_validator(mode="after")
    def _monotone(self) -> MonotoneMap:
        rising = np.all(np.diff(self.x) > 0) and np.all(np.diff(self.y) >= 0)
        inside = min(*self.x, *self.y) >= 0 and max(*self.x, *self.y) <= 1
        if len(self.x) != len(self.y) or not rising or not inside:
            raise ValueError("a map has as many y as x, all in [0, 1]; x must increase, and y must not decrease")
        return self

    def __call__(self, score: float) -> float:
        """Returns a score on the other scale."""
        return float(np.interp(score, self.x, self.y))
