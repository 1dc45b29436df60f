"""How the model does on what people decided: live recall and precision, precision per label, false positives per group.

Live recall and precision come from what was flagged and a random sample of what was allowed. Every post of a stratum
stands for the posts of that stratum that nobody looked at, for the more the less likely it was taken in: the estimator
of J. Hájek (1971) within strata whose sizes are known. What was only allowed and never sampled cannot be known
otherwise.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import VAL_REPORT
from crossguard.errors import CrossguardError
from crossguard.evaluation.audit.identities import members
from crossguard.evaluation.estimates import Estimate
from crossguard.loading import find_bundle
from crossguard.review.intake import FAILED
from crossguard.review.quality.reading import Decided, Stratum
from crossguard.review.resolution import MAJORITY

Floats = NDArray[np.float64]
LEAST_PER_GROUP: Final = 5
LEAST_PART: Final = 0.01
"""Of the flagged or of the allowed posts: a stratum without a decision may be as small, such as one erased post."""
DRAWS: Final = 4000
_JEFFREYS: Final = 0.5
_LEAST: Final = 1e-9
"""Of a prior, which must not be zero."""


@dataclass(frozen=True, slots=True)
class Live:
    """Estimates for the live feed."""

    recall: Estimate  # part of the hateful posts that the model flagged
    precision: Estimate
    prevalence: Estimate
    strata: Sequence[Stratum]
    missing: Sequence[str]  # strata with posts and without a decision


def live(strata: Sequence[Stratum]) -> Live:
    """Estimates recall, precision and prevalence, each where something is decided in all strata that it rests on most.

    Intervals come from draws of each sample's rate (Jeffreys' posterior), so that a stratum without a hateful post
    does not count as certainly clean. They assume that what was checked is a random sample of what was taken in; that
    holds for the audit, and for flagged posts when all of them, or the oldest first, are decided.
    """
    missing = [stratum.name for stratum in strata if stratum.posts and not stratum.checked]
    recall, precision, prevalence = _estimates(strata)
    if allowed := _that_matter([stratum for stratum in strata if not stratum.flagged]):  # often most of the feed
        recall = prevalence = _nothing_in(allowed)
    if flagged := _that_matter([stratum for stratum in strata if stratum.flagged and stratum.name != FAILED]):
        precision = _nothing_in(flagged)
    return Live(recall, precision, prevalence, strata, missing)


def _that_matter(strata: Sequence[Stratum]) -> list[str]:
    """Returns the strata in which nothing is decided and that hold a part of these posts that counts."""
    least = LEAST_PART * sum(stratum.posts for stratum in strata)
    return [stratum.name for stratum in strata if not stratum.checked and stratum.posts > least]


def _nothing_in(strata: Sequence[str]) -> Estimate:
    return Estimate.undefined(f"nothing is decided in {', '.join(strata)}")


def _estimates(strata: Sequence[Stratum]) -> tuple[Estimate, Estimate, Estimate]:
    """Returns recall, precision and prevalence among the strata in which something is decided."""
    parts = [part for stratum in strata for part in _parts(stratum)]
    if not parts:
        return Estimate(None), Estimate(None), Estimate(None)
    size, checked, hateful, prior, asked_for = np.array(parts, dtype=np.float64).T
    flagged = asked_for > 0
    count = int(checked.sum())
    random = np.random.default_rng(0)
    rates = random.beta(hateful + prior, checked - hateful + prior, size=(DRAWS, len(parts)))
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
    return recall, precision, prevalence


class _Part(NamedTuple):
    """A sample with what it says of its stratum."""

    size: float  # posts that it stands for, itself included
    checked: int
    hateful: int
    prior: float  # hateful posts, and as many harmless ones, that its rate begins with; a stratum has those of Jeffreys
    flagged: bool


def _parts(stratum: Stratum) -> list[_Part]:
    each = _posts_per_item(stratum, {sample.inclusion: sample.checked for sample in stratum.samples})
    rest = [(each[sample.inclusion] - 1) * sample.checked for sample in stratum.samples]
    total = sum(rest)
    priors = [_JEFFREYS * max(unseen / total if total else 1.0, _LEAST) for unseen in rest]
    return [
        _Part(each[inclusion] * checked, checked, hateful, prior, stratum.flagged)
        for (inclusion, checked, hateful, _), prior in zip(stratum.samples, priors, strict=True)
    ]


def _posts_per_item(stratum: Stratum, checked: Mapping[float, int]) -> dict[float, float]:
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
    """How many posts of the feed each item stands for; the inverse inclusion where the feed was not counted."""
    checked: dict[str, Counter[float]] = defaultdict(Counter)
    for item in found:
        checked[item.stratum][item.inclusion] += 1
    each = {stratum.name: _posts_per_item(stratum, checked[stratum.name]) for stratum in strata if stratum.posts}
    return np.array([each.get(item.stratum, {}).get(item.inclusion, 1.0 / item.inclusion) for item in found])


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
