"""How many posts of the feed each decided item stands for, and what decided items say of all those posts.

Every post of a stratum stands for the posts of that stratum that nobody looked at, for the more the less likely it was
taken in: the estimator of J. Hájek (1971) within strata whose sizes are known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import Floats
from crossguard.evaluation.estimates import JEFFREYS, Estimate
from crossguard.review.quality.reading import Decided, Stratum

Flags = NDArray[np.bool_]
DRAWS: Final = 4000


def weights_of(found: Sequence[Decided], strata: Sequence[Stratum]) -> Floats:
    """How many posts of the feed each item stands for; the inverse inclusion where the feed was not counted."""
    checked: dict[str, Counter[float]] = defaultdict(Counter)
    for item in found:
        checked[item.stratum][item.inclusion] += 1
    each = {stratum.name: posts_per_item(stratum, checked[stratum.name]) for stratum in strata if stratum.posts}
    return np.array([each.get(item.stratum, {}).get(item.inclusion, 1.0 / item.inclusion) for item in found])


def posts_per_item(stratum: Stratum, checked: Mapping[float, int]) -> dict[float, float]:
    """Returns by inclusion for how many of a stratum's posts each of its checked items stands.

    That is the inverse of the inclusion, times the items of its sample for each that is decided, as later samples wait
    while earlier ones are done; scaled so that all items together stand for the posts that came. But none stands for
    less than itself, also where one that was edited is two items.
    """
    taken = {sample.inclusion: (sample.checked + sample.waiting) / sample.checked for sample in stratum.samples}
    inverse = {inclusion: taken.get(inclusion, 1.0) / inclusion for inclusion in checked}
    each: dict[float, float] = {}
    for inclusion in sorted(inverse, key=inverse.__getitem__):  # those that stand for the fewest first
        left = stratum.posts - sum(each[other] * checked[other] for other in each)
        inverses = sum(inverse[other] * number for other, number in checked.items() if other not in each)
        each[inclusion] = max(left / inverses * inverse[inclusion], 1.0)
    return each


def tables(items: Sequence[Decided], weights: Floats, flagged: Flags, found: Flags) -> Floats:
    """Returns (1 + DRAWS, 2, 2) numbers of posts: not flagged or flagged, and not found or found.

    The first table is the estimate. The others are drawn for its interval: each number of a sample from Jeffreys'
    posterior of its rate, so that where a few of many allowed posts were checked and none was found, there may still
    be some. A stratum has one prior, which its samples share; in one of which nothing is flagged, nothing ever is.
    """
    samples: dict[tuple[str, float], list[int]] = defaultdict(list)
    sizes: dict[str, float] = defaultdict(float)
    for row, item in enumerate(items):
        samples[item.stratum, item.inclusion].append(row)
        sizes[item.stratum] += weights[row]
    random = np.random.default_rng(0)
    result = np.zeros((1 + DRAWS, 2, 2))
    for (stratum, _), rows in samples.items():
        each = weights[rows[0]]
        counts = np.bincount(2 * flagged[rows] + found[rows], minlength=4).reshape(2, 2)
        prior = JEFFREYS * counts.sum(axis=1, keepdims=True) * each / sizes[stratum]
        result[0] += each * counts
        result[1:] += each * random.standard_gamma(counts + prior, size=(DRAWS, 2, 2))
    return result


def flagged_part(tables: Floats, count: int) -> Estimate:
    """Of what was found, the part that was flagged: the recall of hateful posts, the false-positive rate of others."""
    top, bottom = tables[:, 1, 1], tables[:, :, 1].sum(axis=1)
    return ratio(top[:1], bottom[:1], top[1:], bottom[1:], count)


def found_part(tables: Floats, count: int) -> Estimate:
    """Of what was flagged, the part that was found: precision."""
    top, bottom = tables[:, 1, 1], tables[:, 1].sum(axis=1)
    return ratio(top[:1], bottom[:1], top[1:], bottom[1:], count)


def ratio(top: Floats, bottom: Floats, tops: Floats, bottoms: Floats, count: int, *, reason: str = "") -> Estimate:
    """Returns `top / bottom`, each of one number, with the interval of what was drawn of both.

    `reason` says why there is none where `bottom` is 0.
    """
    if bottom[0] == 0:
        return Estimate.undefined(reason)
    ratios = tops / np.maximum(bottoms, 1e-12)
    return Estimate(float(top[0] / bottom[0]), count=count).with_rounds(ratios).around_value()
