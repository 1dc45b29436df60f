"""Whether people agree: with each other, and with known answers. Intervals are bootstrapped over items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.bootstrap import bootstrap_counts
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import Rounds

Answers = Mapping[int, Mapping[int, bool]]
"""Item -> person -> yes or no; answers of "unsure" are left out."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How several people agree on one question."""

    fleiss: Estimate  # Fleiss' kappa (1971), with the number of answers per item allowed to vary
    alpha: Estimate
    observed: Estimate  # part of the pairs of answers that agree


def agreement(answers: Answers) -> Agreement:
    """Measures agreement over the items that at least two people answered."""
    several = [(len(given) - sum(given.values()), sum(given.values())) for given in answers.values() if len(given) > 1]
    kinds, counts = np.unique(np.array(several, dtype=np.int64).reshape(-1, 2), axis=0, return_counts=True)
    return Agreement(
        _beyond_chance(lambda drawn: fleiss_kappa(kinds, drawn), counts),
        _beyond_chance(lambda drawn: krippendorff_alpha(kinds, drawn), counts),
        bootstrap_counts(lambda drawn: _observed(kinds, drawn), counts),
    )


def fleiss_kappa(kinds: NDArray[np.int64], counts: Rounds) -> Rounds:
    """Computes Fleiss' kappa.

    Args:
        kinds: (kinds, categories) answers of an item; at least two answers each.
        counts: (rounds, kinds) numbers of items of each kind.

    Returns:
        (rounds,), at most 1; NaN where all answers are the same, as chance then agrees always.
    """
    parts = counts @ kinds
    expected = ((parts / parts.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
    kappa: Rounds = (_observed(kinds, counts) - expected) / (1 - expected)
    return np.where(expected == 1, np.nan, kappa)


def krippendorff_alpha(kinds: NDArray[np.int64], counts: Rounds) -> Rounds:
    """Computes Krippendorff's alpha for nominal answers (2011), of the same shapes as `fleiss_kappa`.

    An item with m answers counts by m; disagreement that chance would bring is estimated without replacement.
    """
    total = kinds.sum(axis=1)
    parts = counts @ kinds
    size = parts.sum(axis=1)
    seen = counts @ ((total**2 - (kinds**2).sum(axis=1)) / (total - 1))
    chance = (size**2 - (parts**2).sum(axis=1)) / (size - 1)
    return np.where(chance == 0, np.nan, 1 - seen / chance)


def cohen_kappa(pairs: Iterable[tuple[bool, bool]]) -> Estimate:
    """Computes Cohen's kappa of two raters, or of a rater and known answers."""
    cells = [2 * first + second for first, second in pairs]
    return _beyond_chance(_cohen, np.bincount(cells, minlength=4))


def _beyond_chance(statistic: Callable[[Rounds], Rounds], counts: NDArray[np.int64]) -> Estimate:
    """Where all answers are the same, chance would agree always too, and nothing is left to measure."""
    found = bootstrap_counts(statistic, counts)
    return replace(found, reason="all answers alike") if found.value is None and found.count else found


def _cohen(cells: Rounds) -> Rounds:
    both_no, only_second, only_first, both_yes = cells.T
    size = cells.sum(axis=1)
    observed = (both_no + both_yes) / size
    first, second = (only_first + both_yes) / size, (only_second + both_yes) / size
    expected = first * second + (1 - first) * (1 - second)
    return np.where(expected == 1, np.nan, (observed - expected) / (1 - expected))


def pairs_with_others(answers: Answers) -> dict[int, list[tuple[bool, bool]]]:
    """Returns, per person, their answer and another's for each item that both answered."""
    found: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for given in answers.values():
        for first, second in combinations(given, 2):
            found[first].append((given[first], given[second]))
            found[second].append((given[second], given[first]))
    return found


def _observed(kinds: NDArray[np.int64], counts: Rounds) -> Rounds:
    total = kinds.sum(axis=1)
    agreeing = (kinds * (kinds - 1)).sum(axis=1) / (total * (total - 1))
    observed: Rounds = counts @ agreeing / counts.sum(axis=1)
    return observed
