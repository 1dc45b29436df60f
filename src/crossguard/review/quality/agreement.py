"""Whether people agree: with each other, and with known answers. Intervals are bootstrapped over items."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.review.quality.estimate import Estimate, bootstrap

Answers = Mapping[int, Mapping[int, bool]]
"""Item -> person -> yes or no; answers of "unsure" are left out."""

MOST_ITEMS: Final = 2000
"""The newest items that an estimate uses, so that the page stays quick."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How several people agree on one question.

    Attributes:
        fleiss: Fleiss' kappa (1971), with the number of answers per item allowed to vary.
        alpha: Krippendorff's alpha, nominal.
        observed: Part of the pairs of answers that agree.
    """

    fleiss: Estimate
    alpha: Estimate
    observed: Estimate


def agreement(answers: Answers) -> Agreement:
    """Measures agreement over the items that at least two people answered."""
    counts = _counts(answers)
    return Agreement(
        bootstrap(lambda rows: fleiss_kappa(counts[rows]), len(counts)),
        bootstrap(lambda rows: krippendorff_alpha(counts[rows]), len(counts)),
        bootstrap(lambda rows: _observed(counts[rows]), len(counts)),
    )


def fleiss_kappa(counts: NDArray[np.int64]) -> float:
    """Computes Fleiss' kappa.

    Args:
        counts: (items, categories), answers per item; at least two each.

    Returns:
        At most 1; NaN when all answers are the same, as chance then agrees always.
    """
    total = counts.sum(axis=1)
    expected = float(((counts.sum(axis=0) / total.sum()) ** 2).sum())
    return float("nan") if expected == 1 else (_observed(counts) - expected) / (1 - expected)


def krippendorff_alpha(counts: NDArray[np.int64]) -> float:
    """Computes Krippendorff's alpha for nominal answers; NaN when all answers are the same."""
    import krippendorff

    if (counts.sum(axis=0) > 0).sum() < 2:  # noqa: PLR2004 - alpha needs two answers that occur
        return float("nan")
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def cohen_kappa(pairs: Iterable[tuple[bool, bool]]) -> Estimate:
    """Computes Cohen's kappa of two raters, or of a rater and known answers."""
    from sklearn.metrics import cohen_kappa_score

    table = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)[-MOST_ITEMS:]

    def statistic(rows: NDArray[np.int64]) -> float:
        first, second = table[rows].T
        if len(np.unique(table[rows])) == 1:
            return float("nan")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a resample where one rater is constant is a kappa of 0
            return float(cohen_kappa_score(first, second))

    return bootstrap(statistic, len(table))


def pairs_with_others(answers: Answers) -> dict[int, list[tuple[bool, bool]]]:
    """Returns, per person, their answer and another's for each item that both answered."""
    found: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for given in answers.values():
        for first, second in combinations(given, 2):
            found[first].append((given[first], given[second]))
            found[second].append((given[second], given[first]))
    return found


def _counts(answers: Answers) -> NDArray[np.int64]:
    several = [list(given.values()) for given in answers.values() if len(given) > 1][-MOST_ITEMS:]
    return np.array([[len(given) - sum(given), sum(given)] for given in several], dtype=np.int64).reshape(-1, 2)


def _observed(counts: NDArray[np.int64]) -> float:
    if not len(counts):
        return float("nan")
    total = counts.sum(axis=1)
    return float(((counts * (counts - 1)).sum(axis=1) / (total * (total - 1))).mean())
