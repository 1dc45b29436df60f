"""How the model does on what people decided: live recall and precision, precision per label, false positives per group.

Live recall and precision come from what was flagged and a random sample of what was allowed. Every post of a stratum
stands for the posts of that stratum that nobody looked at: the estimator of Horvitz and Thompson (1952) with inclusion
probabilities that are known within strata. What was only allowed and never sampled cannot be known otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import VAL_REPORT
from crossguard.errors import CrossguardError
from crossguard.evaluation.audit.identities import members
from crossguard.evaluation.estimates import Estimate
from crossguard.loading import find_bundle
from crossguard.review.quality.reading import Decided, Stratum
from crossguard.review.resolution import MAJORITY

Floats = NDArray[np.float64]
LEAST_PER_GROUP: Final = 5
DRAWS: Final = 4000
_JEFFREYS: Final = 0.5


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


class LabelPrecision(NamedTuple):
    """How often people agree with a flag."""

    label: str
    live: Estimate  # part of the flagged items that people gave the label; those where it was left open are left out
    card: float | None  # what the model's card says, on its test posts; None where it says nothing


def precision_per_label(
    found: Sequence[Decided], labels: Sequence[str], card: dict[str, float]
) -> list[LabelPrecision]:
    """Measures each label's flags on decided items."""
    result = []
    for label in labels:
        both = (item for item in found if item.truth.get(label, MAJORITY) != MAJORITY and label in item.scores)
        flagged = [item.truth[label] > MAJORITY for item in both if item.scores[label][2]]
        live = Estimate.share(sum(flagged), len(flagged), "nothing flagged was decided")
        result.append(LabelPrecision(label, live, card.get(label)))
    return result


def card_precision(model: str, labels: Sequence[str]) -> dict[str, float]:
    """Reads the precision per label that the model's `val_report.json` tells; empty where there is none."""
    try:
        report = json.loads((find_bundle(model) / VAL_REPORT).read_text(encoding="utf-8"))
    except (CrossguardError, OSError, ValueError):
        return {}
    found = {label: report.get(label, {}).get("precision") for label in labels}
    return {label: float(value) for label, value in found.items() if isinstance(value, int | float)}


def weights_of(found: Sequence[Decided], strata: Sequence[Stratum]) -> Floats:
    """How many posts of the feed each item stands for; the inverse inclusion where the feed was not counted.

    The count goes first: where the sample grew since an item was taken, its inclusion is not that of the others.
    """
    checked = Counter(item.stratum for item in found)
    each = {s.name: max(s.posts / checked[s.name], 1.0) for s in strata if s.posts and checked[s.name]}
    return np.array([each.get(item.stratum, 1.0 / item.inclusion) for item in found])


def false_positive_rates(found: Sequence[Decided], strata: Sequence[Stratum]) -> list[tuple[str, Estimate]]:
    """Returns, per identity group that texts name, the part of the harmless posts that was flagged, worst first.

    A post counts for those of its stratum that nobody decided; the interval rests on the items' number.
    """
    kept = [place for place, item in enumerate(found) if item.harmless and item.text]
    harmless = [found[place] for place in kept]
    weights = weights_of(found, strata)[kept]
    flagged = np.array([any(flag for _, _, flag in item.scores.values()) for item in harmless])
    result = []
    for group, rows in members([item.text for item in harmless]).items():
        count = int(rows.sum())
        if count < LEAST_PER_GROUP:
            continue
        rate = float(np.average(flagged[rows], weights=weights[rows]))
        # Kish's effective sample size: unequal weights carry less information than their number says.
        effective = weights[rows].sum() ** 2 / (weights[rows] ** 2).sum()
        interval = Estimate.share(rate * effective, effective)
        result.append((group, replace(interval, value=rate, count=count)))
    return sorted(result, key=lambda entry: -(entry[1].value or 0.0))
