"""Estimates how common a label is in a feed that nobody annotated (Saerens, Latinne and Decaestecker 2002)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import shift_prior
from crossguard.errors import InputError

ROUNDS = 10_000
TOLERANCE = 1e-9


def estimate_prevalence(probabilities: NDArray[np.float64], source: float) -> float:
    """Finds the base rate under which the mean corrected probability equals the base rate itself (EM).

    Right when the feed differs from the calibration data in base rates only: hateful posts there look like hateful
    posts here. It is an estimate from a model's scores, not a count.

    Args:
        probabilities: (n,), scores of unlabelled posts, calibrated where the label has the prevalence `source`.
        source: Prevalence in the calibration data, in (0, 1).

    Returns:
        Prevalence in the feed, kept at least half a post away from 0 and 1.

    Raises:
        InputError: There is no post.
    """
    if not len(probabilities):
        raise InputError("Estimating a prevalence needs at least one unlabelled post.")
    edge = 0.5 / len(probabilities)
    prevalence = source
    for _ in range(ROUNDS):
        shifted = shift_prior(probabilities[:, None], np.array([source]), np.array([prevalence]))
        updated = float(np.clip(shifted.mean(), edge, 1 - edge))
        if abs(updated - prevalence) < TOLERANCE:
            return updated
        prevalence = updated
    return prevalence


def weights_for(truth: NDArray[np.bool_], target: float) -> NDArray[np.float64]:
    """Returns weights, (n,), under which the share of positive posts is `target`; they sum to n.

    Raises:
        InputError: All posts have the same answer.
    """
    share = float(truth.mean()) if len(truth) else 0.0
    if not 0 < share < 1:
        raise InputError("Weighing posts to another prevalence needs a positive and a negative post.")
    return np.where(truth, target / share, (1 - target) / (1 - share))
