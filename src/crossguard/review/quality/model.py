"""How the model does on what people decided: precision per label against its card, and false positives per group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import VAL_REPORT
from crossguard.errors import CrossguardError
from crossguard.evaluation.audit.identities import members
from crossguard.evaluation.estimates import Estimate
from crossguard.loading import find_bundle
from crossguard.review.quality.reading import Decided
from crossguard.review.quality.recall import Stratum
from crossguard.review.resolution import MAJORITY

LEAST_PER_GROUP = 5


class LabelPrecision(NamedTuple):
    """How often people agree with a flag."""

    label: str
    live: Estimate  # part of the flagged items that people gave the label
    card: float | None  # what the model's card says, on its test posts; None where it says nothing


def precision_per_label(
    found: Sequence[Decided], labels: Sequence[str], card: dict[str, float]
) -> list[LabelPrecision]:
    """Measures each label's flags on decided items."""
    result = []
    for label in labels:
        both = (item for item in found if label in item.truth and label in item.scores)
        flagged = [item.truth[label] >= MAJORITY for item in both if item.scores[label][2]]
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


def weights_of(found: Sequence[Decided], strata: Sequence[Stratum]) -> NDArray[np.float64]:
    """How many posts of the feed each item stands for; the inverse inclusion where the feed was not counted."""
    posts = {stratum.name: stratum.posts for stratum in strata}
    checked = Counter(item.stratum for item in found)
    return np.array([max(posts.get(i.stratum, 0) / checked[i.stratum], 1.0 / i.inclusion) for i in found])


def false_positive_rates(found: Sequence[Decided], strata: Sequence[Stratum]) -> list[tuple[str, Estimate]]:
    """Returns, per identity group that texts name, the part of the harmless posts that was flagged, worst first.

    A post counts for those of its stratum that nobody decided; the interval rests on the items' number.
    """
    kept = [place for place, item in enumerate(found) if not item.hateful and item.text]
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
