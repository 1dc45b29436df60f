"""Fits the maps from logits to probabilities, and picks one per label by cross-validated log loss.

Also estimates how common a label is in a feed that nobody annotated, to which the probabilities are then shifted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from crossguard.decision.calibration import Floats, Identity, Isotonic, Platt, logit, shift_prior

Groups: TypeAlias = NDArray[np.int64]  # (n,), a number that posts with the same words share
Map: TypeAlias = Identity | Platt | Isotonic
Fit: TypeAlias = "Callable[[Floats, NDArray[np.bool_]], Map]"

FOLDS = 5
# Different posts of either answer, two per fold: fewer would fit noise.
LEAST = 2 * FOLDS
LEAST_SCALE = 1e-6


def fit_none(logits: Floats, truth: NDArray[np.bool_]) -> Identity:  # noqa: ARG001 - one signature for all maps
    """Returns the plain sigmoid."""
    return Identity()


def fit_temperature(logits: Floats, truth: NDArray[np.bool_]) -> Platt:
    """Fits one factor on the logits by log loss (Guo et al. 2017), with the targets of `fit_platt`."""
    targets = _targets(logits, truth)

    def loss(log_scale: float) -> float:
        return float(log_loss(targets, Platt(scale=float(np.exp(log_scale))).apply(logits)).mean())

    found = minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded")
    return Platt(scale=float(np.exp(found.x)))


def fit_platt(logits: Floats, truth: NDArray[np.bool_]) -> Platt:
    """Fits factor and offset on the logits by log loss (Platt 1999), weakly regularised.

    Posts count as slightly less than certain, as in his paper: n of them cannot show a probability of 0 or 1, and where
    logits separate them, a fit to 0 and 1 makes every other post certain, too.
    """
    targets = _targets(logits, truth)
    both = np.concatenate([logits, logits])[:, None]
    answers = np.repeat([True, False], len(logits))
    model = LogisticRegression(C=1e4).fit(both, answers, sample_weight=np.concatenate([targets, 1 - targets]))
    scale, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    if scale < LEAST_SCALE:
        # A model that ranks a label backwards must not be turned around: every post gets the base rate.
        scale, shift = LEAST_SCALE, float(logit(float(truth.mean())))
    return Platt(scale=scale, shift=shift)


def _targets(logits: Floats, truth: NDArray[np.bool_]) -> Floats:
    carrying, others = different(truth, logits)  # copies show no more
    return np.where(truth, (carrying + 1) / (carrying + 2), 1 / (others + 2))


def fit_isotonic(logits: Floats, truth: NDArray[np.bool_]) -> Isotonic:
    """Fits a non-decreasing step map (Zadrozny and Elkan 2002); never says 0 or 1, which n posts cannot show."""
    edge = 1.0 / (len(truth) + 2)
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(logits, truth)
    points, levels = model.X_thresholds_, model.y_thresholds_
    if len(points) == 1:
        points, levels = np.array([points[0], points[0] + 1.0]), np.repeat(levels, 2)
    return Isotonic(logits=tuple(map(float, points)), probabilities=tuple(map(float, np.clip(levels, 0, 1))))


# From the simplest to the richest.
KINDS: Mapping[str, Fit] = MappingProxyType(
    {"none": fit_none, "temperature": fit_temperature, "platt": fit_platt, "isotonic": fit_isotonic}
)


def log_loss(targets: Floats, probabilities: Floats) -> Floats:
    """Returns the log loss of each post, (n,), in nats."""
    inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return -targets * np.log(inside) - (1 - targets) * np.log1p(-inside)


def different(truth: NDArray[np.bool_], values: Groups | Floats) -> tuple[int, int]:
    """Returns how many different values posts that carry a label have, and how many the others."""
    return len(np.unique(values[truth])), len(np.unique(values[~truth]))


def enough(truth: NDArray[np.bool_], groups: Groups) -> bool:
    """Whether there are enough different posts of either answer to cross-validate a fit, `LEAST` of each."""
    return min(different(truth, groups)) >= LEAST


def choose(
    logits: Floats, truth: NDArray[np.bool_], groups: Groups, kinds: Mapping[str, Fit] = KINDS, seed: int = 0
) -> tuple[str, Map, dict[str, float]]:
    """Picks the kind of calibration for one label, and fits it on all posts.

    A richer kind must beat the simpler one by more than one standard error of the paired difference. Posts of one group
    never stand on both sides of a fold, and count as one observation.

    Returns:
        Name of the kind, the map, and the cross-validated log loss per kind (empty where there is no choice: one kind,
        or too few different posts to cross-validate; then `none` is taken).
    """
    if len(kinds) == 1:
        ((name, fit),) = kinds.items()
        return name, fit(logits, truth), {}
    if not enough(truth, groups):
        return "none", fit_none(logits, truth), {}
    folds = list(_folds(truth, groups, seed))
    losses = {name: _out_of_fold(fit, logits, truth, folds) for name, fit in kinds.items()}
    best = next(iter(losses))
    for name, loss in losses.items():
        gain = losses[best] - loss
        error = np.sqrt((np.bincount(groups, gain - gain.mean()) ** 2).sum()) / len(gain)
        if gain.mean() > error:
            best = name
    return best, kinds[best](logits, truth), {name: float(loss.mean()) for name, loss in losses.items()}


def _out_of_fold(fit: Fit, logits: Floats, truth: NDArray[np.bool_], folds: Sequence[NDArray[np.bool_]]) -> Floats:
    loss, targets = np.empty(len(truth)), truth.astype(np.float64)
    for outside in folds:
        inside = ~outside
        loss[outside] = log_loss(targets[outside], fit(logits[inside], truth[inside]).apply(logits[outside]))
    return loss


def _folds(truth: NDArray[np.bool_], groups: Groups, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yields the posts of each fold, (n,). Groups are drawn: StratifiedGroupKFold needs minutes for many of them."""
    first = np.sort(np.unique(groups, return_index=True)[1])
    for _, drawn in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(first, truth[first]):
        yield np.isin(groups, groups[first[drawn]])


def estimate_prevalence(probabilities: Floats, source: float) -> float:
    """Finds the base rate under which the mean corrected probability equals the base rate itself.

    Expectation maximisation (Saerens, Latinne and Decaestecker 2002) leads there, too, in thousands of steps.

    Right when the feed differs from the calibration data in base rates only: hateful posts there look like hateful
    posts here. It is an estimate from a model's scores, not a count.

    Args:
        probabilities: (n,), scores of unlabelled posts, at least one; calibrated where the label has the prevalence
            `source`.
        source: Prevalence in the calibration data, in (0, 1).

    Returns:
        Prevalence in the feed, kept at least half a post away from 0 and 1.
    """
    edge = 0.5 / len(probabilities)

    def excess(prevalence: float) -> float:
        return float(shift_prior(probabilities, source, prevalence).mean()) - prevalence

    # Positive below the maximum of the likelihood and negative above, as its logarithm is concave.
    if excess(edge) <= 0:
        return edge
    return 1 - edge if excess(1 - edge) >= 0 else float(brentq(excess, edge, 1 - edge))


def weights_for(truth: NDArray[np.bool_], target: float) -> Floats:
    """Returns weights of posts of either kind, (n,), under which the share of positive ones is `target`; sum is n."""
    share = float(truth.mean())
    return np.where(truth, target / share, (1 - target) / (1 - share))
