"""Thresholds for the live feed from what people decided, and what they would have changed. Nothing is applied here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from crossguard.decision.policy import Kind
from crossguard.errors import InputError
from crossguard.evaluation.bootstrap import bootstrap
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.thresholds import fit_threshold
from crossguard.evaluation.estimates import Estimate
from crossguard.review.quality.model import weights_of
from crossguard.review.quality.reading import Decided, Stratum
from crossguard.review.resolution import MAJORITY

LEAST: Final = 10
"""Items with a label and items without it that a threshold needs."""
FOLDS: Final = 5
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A threshold for one rule of the policy; precision and recall are weighted to the live feed."""

    label: str
    kinds: tuple[Kind, ...]  # kinds of input (text, image, both) whose items have the current threshold
    items: int
    positives: int
    current: float
    proposed: float
    interval: tuple[float, float]  # where the new one falls in 95 of 100 resamples of the items
    # Now and then; "then" is cross-validated: no item had a part in its own threshold
    precision: tuple[Estimate, Estimate]
    recall: tuple[Estimate, Estimate]  # now and then, likewise
    # Past items that would be flagged and were not: how many, and how many of them people gave the label
    newly: tuple[int, int]
    no_longer: tuple[int, int]  # past items that were flagged and would not be, likewise
    flags_all: bool = False  # whether every past item would be flagged


def learn(
    found: Sequence[Decided], strata: Sequence[Stratum], criterion: Criterion
) -> tuple[list[Proposal], list[str]]:
    """Proposes a threshold per label; also returns what a person should know, one sentence each.

    The sizes of the feed's strata say how many posts a decided one stands for.

    Raises:
        InputError: No label has enough items, or none can meet the criterion.
    """
    if not found:
        raise InputError("No decided item has scores yet. Decide some in the console: crossguard review")
    (model, kept), *others = Counter(item.model for item in found).most_common()
    left_out = sum(number for _, number in others)
    notes = [f"{left_out} items were scored by another model or policy, and are left out."] if left_out else []
    used = [item for item in found if item.model == model]
    weights = weights_of(used, strata)
    proposals, few, unmet = [], [], list[str]()
    for (label, current), rows in _rules(used).items():
        truth = np.array([used[i].truth[label] >= MAJORITY for i in rows], dtype=bool)
        kinds = tuple(sorted({used[i].kind for i in rows}))
        if min(truth.sum(), (~truth).sum()) < LEAST:
            few.append(f"{label} ({', '.join(kinds)})")
            continue
        scores = np.array([used[i].scores[label][0] for i in rows])
        try:
            proposals.append(_propose(label, kinds, criterion, truth, scores, weights=weights[rows], current=current))
        except InputError as error:
            unmet.append(f"The threshold for {label} ({', '.join(kinds)}) stays: {error}")
    if few:
        notes.append(f"Fewer than {LEAST} items with or without the label, so the threshold stays: {'; '.join(few)}.")
    if unmet and not proposals:
        raise InputError(" ".join(unmet))
    notes += unmet
    if not proposals:
        raise InputError(f"No label has {LEAST} items that carry it and {LEAST} that do not among {kept}. Decide more.")
    checked = {item.stratum for item in used}
    notes += [
        f"Of {stratum.posts:,} posts in the stratum '{stratum.name}' none is decided, so neither thresholds nor recall "
        "count them, and the true recall may be far lower. Decide some of them: they wait among the others."
        for stratum in strata
        if stratum.posts and stratum.name not in checked
    ]
    notes += [
        f"The threshold proposed for {found.label} flags every decided item. Try another --criterion, or decide more."
        for found in proposals
        if found.flags_all
    ]
    return proposals, notes


def _rules(used: Sequence[Decided]) -> dict[tuple[str, float], NDArray[np.int64]]:
    """Returns (label, threshold now) -> rows: a policy may have other thresholds for images than for words."""
    found: dict[tuple[str, float], list[int]] = defaultdict(list)
    for label in used[0].scores:
        for row, item in enumerate(used):
            if label in item.truth and label in item.scores:
                found[label, item.scores[label][1]].append(row)
    return {rule: np.array(rows, dtype=np.int64) for rule, rows in found.items()}


def _propose(
    label: str,
    kinds: tuple[Kind, ...],
    criterion: Criterion,
    truth: Flags,
    scores: Floats,
    *,
    weights: Floats,
    current: float,
) -> Proposal:
    def fitted(rows: NDArray[np.int64]) -> float:
        try:
            return fit_threshold(criterion, truth[rows], scores[rows], weights[rows])
        except InputError:  # a resample without a positive, or in which the criterion cannot be met
            return float("nan")

    proposed = fit_threshold(criterion, truth, scores, weights)
    drawn = bootstrap(fitted, len(truth))
    low, high = (proposed if bound is None else bound for bound in (drawn.low, drawn.high))
    before, after = scores >= current, scores >= proposed
    held_out = _cross_validated(fitted, truth, scores, proposed)
    newly, gone = after & ~before, before & ~after
    return Proposal(
        label,
        kinds,
        len(truth),
        int(truth.sum()),
        current,
        proposed,
        (low, high),
        (_part(truth & before, before, weights), _part(truth & held_out, held_out, weights)),
        (_part(truth & before, truth, weights), _part(truth & held_out, truth, weights)),
        (int(newly.sum()), int(truth[newly].sum())),
        (int(gone.sum()), int(truth[gone].sum())),
        flags_all=bool(after.all()),
    )


def _cross_validated(
    fitted: Callable[[NDArray[np.int64]], float], truth: Flags, scores: Floats, fallback: float
) -> Flags:
    flags = np.zeros(len(truth), dtype=bool)
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(scores, truth):
        threshold = fitted(inside)
        flags[outside] = scores[outside] >= (fallback if np.isnan(threshold) else threshold)
    return flags


def _part(top: Flags, bottom: Flags, weights: Floats) -> Estimate:
    def statistic(rows: NDArray[np.int64]) -> float:
        total = weights[rows][bottom[rows]].sum()
        return float(weights[rows][top[rows]].sum() / total) if total else float("nan")

    return bootstrap(statistic, len(top))
