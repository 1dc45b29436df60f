"""How the model does on what people decided: live recall and precision, precision per label, false positives per group.

Live recall and precision come from what was flagged and a random sample of what was allowed, weighed as in
`weighing.py`. What was only allowed and never sampled cannot be known otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from crossguard.bundle import VAL_REPORT
from crossguard.errors import CrossguardError
from crossguard.evaluation.audit.identities import members
from crossguard.evaluation.estimates import JEFFREYS, Estimate
from crossguard.loading import find_bundle
from crossguard.review.intake import FAILED
from crossguard.review.quality.reading import Decided, Stratum
from crossguard.review.quality.weighing import DRAWS, flagged_part, posts_per_item, ratio, tables, weights_of
from crossguard.review.resolution import MAJORITY

LEAST_PER_GROUP: Final = 5
LEAST_PART: Final = 0.01
"""Of the flagged or of the allowed posts: a stratum without a decision may be as small, such as one erased post."""
SAME_THRESHOLD: Final = 1e-4
"""Thresholds that differ by less are the same: policies may have them rounded."""
_LEAST: Final = 1e-9
"""Of a prior, which must not be zero."""
_ITSELF: Final = 1.001
"""Weight of a post that stands for no other, with what rounding adds."""
_SEVERAL: Final = 2
"""Posts that one stands for from which on a wrong answer to it counts as several."""


@dataclass(frozen=True, slots=True)
class Live:
    """Estimates for the live feed."""

    recall: Estimate  # part of the hateful posts that the model flagged
    precision: Estimate
    prevalence: Estimate
    strata: Sequence[Stratum]
    missing: Sequence[str]  # strata with posts and without a decision
    heaviest: tuple[str, int] | None  # where each allowed post that is decided stands for the most, and for how many


def live(strata: Sequence[Stratum]) -> Live:
    """Estimates recall, precision and prevalence, each where something is decided in all strata that it rests on most.

    Intervals come from draws of each sample's rate (Jeffreys' posterior), so that a stratum without a hateful post
    does not count as certainly clean. They assume that what was checked is a random sample of what was taken in; that
    holds for the audit, and for flagged posts when all of them, or the oldest first, are decided.
    """
    missing = [stratum.name for stratum in strata if stratum.posts and not stratum.checked]
    recall, precision, prevalence = _estimates(strata)
    decided = {stratum.name for stratum in strata if stratum.checked}
    if allowed := undecided(strata, decided, flagged=False):  # often most of it
        recall = prevalence = nothing_in(allowed)
    if flagged := undecided(strata, decided, flagged=True):
        precision = nothing_in(flagged)
    return Live(recall, precision, prevalence, strata, missing, _heaviest(strata))


def undecided(strata: Sequence[Stratum], decided: Container[str], *, flagged: bool) -> list[str]:
    """Returns the flagged or the allowed strata in which nothing is decided and that hold a part of these that counts.

    Posts without scores tell nothing about the model.
    """
    half = [stratum for stratum in strata if stratum.flagged == flagged and stratum.name != FAILED]
    least = LEAST_PART * sum(stratum.posts for stratum in half)
    return [stratum.name for stratum in half if stratum.name not in decided and stratum.posts > least]


def nothing_in(strata: Sequence[str]) -> Estimate:
    """Returns what is known while these strata are undecided."""
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
    recall = ratio(hits, everything, drawn_hits, drawn_everything, count, reason="no hateful post was decided")
    if flagged.all():
        recall = Estimate.undefined("no allowed post was decided")
    flags_checked = int(checked[flagged].sum())
    precision = ratio(hits, flags, drawn_hits, flags, flags_checked, reason="no flagged post was decided")
    prevalence = ratio(everything, posts, drawn_everything, posts, count)
    return recall, precision, prevalence


def _heaviest(strata: Sequence[Stratum]) -> tuple[str, int] | None:
    each = [
        (max(_posts_per_sample(stratum).values()), stratum.name)
        for stratum in strata
        if stratum.samples and not stratum.flagged
    ]
    most, name = max(each, default=(0.0, ""))
    return (name, round(most)) if most >= _SEVERAL else None


class _Part(NamedTuple):
    """A sample with what it says of its stratum."""

    size: float  # posts that it stands for, itself included
    checked: int
    hateful: int
    prior: float  # hateful posts, and as many harmless ones, that its rate begins with; a stratum has those of Jeffreys
    flagged: bool


def _posts_per_sample(stratum: Stratum) -> dict[float, float]:
    return posts_per_item(stratum, {sample.inclusion: sample.checked for sample in stratum.samples})


def _parts(stratum: Stratum) -> list[_Part]:
    each = _posts_per_sample(stratum)
    rest = [(each[sample.inclusion] - 1) * sample.checked for sample in stratum.samples]
    total = sum(rest)
    priors = [JEFFREYS * max(unseen / total if total else 1.0, _LEAST) for unseen in rest]
    return [
        _Part(each[inclusion] * checked, checked, hateful, prior, stratum.flagged)
        for (inclusion, checked, hateful, _), prior in zip(stratum.samples, priors, strict=True)
    ]


class Reported(NamedTuple):
    """What a model's report says of a label."""

    precision: float
    threshold: float  # at which it was measured


class LabelPrecision(NamedTuple):
    """How often people agree with a flag."""

    label: str
    live: Estimate  # part of the flagged items that people gave the label; those where it was left open are left out
    reported: float | None  # what the model's report says; None where it says nothing, or of other thresholds


def precision_per_label(
    found: Sequence[Decided], labels: Sequence[str], reported: dict[str, Reported]
) -> list[LabelPrecision]:
    """Measures each label's flags on decided items."""
    result = []
    for label in labels:
        both = (item for item in found if item.truth.get(label, MAJORITY) != MAJORITY and label in item.scores)
        flagged = [item for item in both if item.scores[label][2]]
        hits = sum(item.truth[label] > MAJORITY for item in flagged)
        live = Estimate.share(hits, len(flagged), "nothing flagged was decided")
        limits = {item.scores[label][1] for item in flagged}
        said = reported.get(label)
        same = said is not None and bool(limits) and np.allclose([*limits], said.threshold, atol=SAME_THRESHOLD)
        result.append(LabelPrecision(label, live, said.precision if said is not None and same else None))
    return result


def reported_precision(model: str, labels: Sequence[str]) -> dict[str, Reported]:
    """Reads the precision per label that the model's `val_report.json` tells, and at which threshold.

    It is empty where there is none.
    """
    try:
        report = json.loads((find_bundle(model) / VAL_REPORT).read_text(encoding="utf-8"))
    except (CrossguardError, OSError, ValueError):
        return {}
    found = {label: [report.get(label, {}).get(key) for key in Reported._fields] for label in labels}
    return {
        label: Reported(*values)
        for label, values in found.items()
        if all(isinstance(value, int | float) for value in values)
    }


def false_positive_rates(found: Sequence[Decided], strata: Sequence[Stratum]) -> list[tuple[str, Estimate]]:
    """Returns, per identity group that texts name, the part of the harmless posts that was flagged, worst first.

    A post counts for those of its stratum that nobody decided. Where only a part of the allowed posts was decided, and
    of those that name a group no harmless one, its rate would be 1 whatever the model does, so there is none.
    """
    kept = [place for place, item in enumerate(found) if item.text]
    items = [found[place] for place in kept]
    weights = weights_of(found, strata)[kept]
    harmless = np.array([item.harmless for item in items], dtype=bool)
    flagged = np.array([any(flag for _, _, flag in item.scores.values()) for item in items], dtype=bool)
    unseen = _scored_undecided(strata, {item.stratum for item in found})
    sampled = bool((weights[~flagged] > _ITSELF).any())
    result = []
    for group, named in members([item.text for item in items]).items():
        rows = named & harmless
        count = int(rows.sum())
        if count < LEAST_PER_GROUP:
            continue
        if unseen:
            rate = _none_of(unseen, strata)
        elif sampled and flagged[rows].all():
            rate = Estimate.undefined("no harmless allowed post that names it was decided")
        else:
            rate = flagged_part(tables(items, weights, flagged, rows), count)
        result.append((group, replace(rate, count=count)))
    return sorted(result, key=lambda entry: -1.0 if entry[1].value is None else entry[1].value, reverse=True)


def _none_of(unseen: Sequence[str], strata: Sequence[Stratum]) -> Estimate:
    """Returns what is known while none of the items at hand, the newest ones, is in these strata."""
    if any(stratum.samples for stratum in strata if stratum.name in unseen):
        return Estimate.undefined(f"none of the newest decisions is in {', '.join(unseen)}")
    return nothing_in(unseen)


def _scored_undecided(strata: Sequence[Stratum], decided: Container[str]) -> list[str]:
    """Returns the strata that a rate among all scored posts rests on, and of which none of these items is."""
    return [name for flagged in (True, False) for name in undecided(strata, decided, flagged=flagged)]
