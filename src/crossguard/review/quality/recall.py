"""Recall and precision in the live feed, from what was flagged and a random sample of what was allowed.

Every post of a stratum stands for the posts of that stratum that nobody looked at: the estimator of Horvitz and
Thompson (1952) with inclusion probabilities that are known within strata. What was only allowed and never sampled
cannot be known otherwise; precision alone says nothing about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.estimates import Estimate

Floats = NDArray[np.float64]
DRAWS: Final = 4000
_JEFFREYS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the feed, as `stratum_of` calls it."""

    name: str
    flagged: bool  # whether the model asked for a person
    posts: int  # all that came by
    checked: int  # those that people decided
    hateful: int  # those of them that people found hateful


@dataclass(frozen=True, slots=True)
class Live:
    """Estimates for the live feed."""

    recall: Estimate  # part of the hateful posts that the model flagged
    precision: Estimate
    prevalence: Estimate
    strata: Sequence[Stratum]
    missing: Sequence[str]  # strata with posts and without a decision; their posts are left out of the estimates


def live(strata: Sequence[Stratum]) -> Live:
    """Estimates recall, precision and prevalence.

    Intervals come from draws of each stratum's rate (Jeffreys' posterior), so that a stratum without a hateful post
    does not count as certainly clean. They assume that what was checked is a random sample of its stratum; that holds
    for the audit, and for flagged posts when all of them, or the oldest first, are decided.
    """
    used = [stratum for stratum in strata if stratum.checked]
    missing = [stratum.name for stratum in strata if stratum.posts and not stratum.checked]
    size = np.array([max(stratum.posts, stratum.checked) for stratum in used], dtype=np.float64)
    flagged = np.array([stratum.flagged for stratum in used], dtype=bool)
    hateful = np.array([stratum.hateful for stratum in used], dtype=np.float64)
    checked = np.array([stratum.checked for stratum in used], dtype=np.float64)
    count = int(checked.sum())
    if not count:
        return Live(Estimate(None), Estimate(None), Estimate(None), strata, missing)
    random = np.random.default_rng(0)
    rates = random.beta(hateful + _JEFFREYS, checked - hateful + _JEFFREYS, size=(DRAWS, len(used)))
    # What was checked is known; only the rest of a stratum is estimated.
    drawn = hateful + (size - checked) * rates
    totals = (size * hateful / checked)[None, :]
    hits, everything = totals[:, flagged].sum(axis=1), totals.sum(axis=1)
    drawn_hits, drawn_everything = drawn[:, flagged].sum(axis=1), drawn.sum(axis=1)
    flags, posts = np.array([size[flagged].sum()]), np.array([size.sum()])
    recall = _ratio(hits, everything, drawn_hits, drawn_everything, count)
    if flagged.all():
        recall = Estimate.undefined("no allowed post was decided")
    precision = _ratio(hits, flags, drawn_hits, flags, count)
    prevalence = _ratio(everything, posts, drawn_everything, posts, count)
    return Live(recall, precision, prevalence, strata, missing)


def _ratio(top: Floats, bottom: Floats, tops: Floats, bottoms: Floats, count: int) -> Estimate:
    if bottom[0] == 0:
        return Estimate(None)
    ratios = tops / np.maximum(bottoms, 1e-12)
    low, high = np.percentile(ratios, [2.5, 97.5])
    value = float(top[0] / bottom[0])
    return Estimate(value, min(float(low), value), max(float(high), value), count=count)
