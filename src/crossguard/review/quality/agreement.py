"""Whether people agree: with each other, and with known answers.

Intervals are bootstrapped over items, to which a little of each possible answer is added: people who have agreed on
five items need not agree on all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.bootstrap import bootstrap_counts
from crossguard.evaluation.estimates import JEFFREYS, Estimate
from crossguard.evaluation.metrics import Rounds

Answers = Mapping[int, Mapping[int, bool]]
"""Item -> person -> yes or no; answers of "unsure" are left out."""
Pairs = Mapping[int, Sequence[tuple[bool, bool]]]
"""Item -> answers of two raters."""
_LEAST: Final = 1e-12
"""In the place of zero below a line."""
_OF_TWO: Final = np.array([[2, 0], [1, 1], [0, 2]])
"""What two people can answer: numbers of no and yes."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How several people agree on one question."""

    fleiss: Estimate  # Fleiss' kappa (1971), with the number of answers per item allowed to vary
    alpha: Estimate
    observed: Estimate  # part of the pairs of answers that agree


def agreement(answers: Answers) -> Agreement:
    """Measures agreement over the items that at least two people answered."""
    several = [(len(given) - sum(given.values()), sum(given.values())) for given in answers.values() if len(given) > 1]
    kinds, counts, prior = _kinds(np.array(several, dtype=np.int64).reshape(-1, 2), _OF_TWO, JEFFREYS)
    return Agreement(
        _beyond_chance(lambda drawn: fleiss_kappa(kinds, drawn), counts, prior),
        _beyond_chance(lambda drawn: krippendorff_alpha(kinds, drawn), counts, prior),
        bootstrap_counts(lambda drawn: _observed(kinds, drawn), counts, prior),
    )


def _kinds(
    items: NDArray[np.int64], possible: NDArray[np.int64], prior: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Returns kinds of items, how many there are of each, and what is added of those that are possible anyhow."""
    kinds, counts = np.unique(items, axis=0, return_counts=True)
    counts = np.concatenate([counts, np.zeros(len(possible), dtype=np.int64)])
    return np.concatenate([kinds, possible]), counts, np.where(np.arange(len(counts)) < len(kinds), 0.0, prior)


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


def cohen_kappa(labels: Sequence[Pairs]) -> Estimate:
    """Computes Cohen's kappa of two raters, or of a rater and known answers, over several labels.

    Disagreements, and those that chance would bring, are counted per label and then summed: whoever answers each label
    by its frequency and reads nothing gets 0.
    """
    places = {item: place for place, item in enumerate(sorted({item for pairs in labels for item in pairs}))}
    if not places:
        return Estimate(None)
    cells = np.zeros((len(places), len(labels), 4), dtype=np.int64)
    for label, pairs in enumerate(labels):
        for item, both in pairs.items():
            for first, second in both:
                cells[places[item], label, 2 * first + second] += 1
    width = 4 * len(labels)
    kinds, counts, prior = _kinds(cells.reshape(-1, width), np.eye(width, dtype=np.int64), JEFFREYS / len(labels))
    return _beyond_chance(lambda drawn: _cohen((drawn @ kinds).reshape(len(drawn), -1, 4)), counts, prior)


def _beyond_chance(
    statistic: Callable[[Rounds], Rounds], counts: NDArray[np.int64], prior: NDArray[np.float64]
) -> Estimate:
    """Where all answers are the same, chance would agree always too, and nothing is left to measure."""
    found = bootstrap_counts(statistic, counts, prior)
    return replace(found, reason="all answers alike") if found.value is None and found.count else found


def _cohen(cells: Rounds) -> Rounds:
    """Takes (rounds, labels, 4) numbers of pairs: both no, only the second yes, only the first, both."""
    _, only_second, only_first, both_yes = np.moveaxis(cells, 2, 0)
    size = np.maximum(cells.sum(axis=2), _LEAST)
    first, second = (only_first + both_yes) / size, (only_second + both_yes) / size
    seen = (only_first + only_second).sum(axis=1)
    chance = (size * (first + second - 2 * first * second)).sum(axis=1)
    return np.where(chance == 0, np.nan, 1 - seen / chance)


def pairs_with_others(answers: Answers) -> dict[int, dict[int, list[tuple[bool, bool]]]]:
    """Returns, per person and item, their answer and another's for each who answered it, too."""
    found: dict[int, dict[int, list[tuple[bool, bool]]]] = defaultdict(lambda: defaultdict(list))
    for item, given in answers.items():
        for first, second in combinations(given, 2):
            found[first][item].append((given[first], given[second]))
            found[second][item].append((given[second], given[first]))
    return found


def _observed(kinds: NDArray[np.int64], counts: Rounds) -> Rounds:
    total = kinds.sum(axis=1)
    agreeing = (kinds * (kinds - 1)).sum(axis=1) / (total * (total - 1))
    observed: Rounds = counts @ agreeing / counts.sum(axis=1)
    return observed
