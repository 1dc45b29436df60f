"""Thresholds for the live feed from what people decided. Nothing is applied here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from sqlalchemy import Connection

from crossguard.decision.calibration import Floats
from crossguard.decision.policy import Kind, Policy
from crossguard.errors import ConfigError, InputError, number_of
from crossguard.evaluation.bootstrap import bootstrap
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.thresholds import fit_threshold
from crossguard.evaluation.estimates import Estimate
from crossguard.review.intake import FAILED
from crossguard.review.quality.model import nothing_in, undecided
from crossguard.review.quality.reading import Decided, Stratum, decided, flagged_waiting, strata
from crossguard.review.quality.weighing import Flags, flagged_part, found_part, tables, weights_of
from crossguard.review.resolution import MAJORITY

LEAST: Final = 10
"""Items with a label and items without it that a threshold needs."""
FOLDS: Final = 5


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


def learn(db: Connection, criterion: Criterion, policy: Policy | None = None) -> tuple[list[Proposal], list[str]]:
    """Proposes a threshold per label; also returns what a person should know, one sentence each.

    It learns from what was scored under this policy, if anything was; else under the one that scored the most.

    Raises:
        ConfigError: A review budget.
        InputError: No label has enough items, or none can meet the criterion.
    """
    if criterion.kind == "review-budget":
        raise ConfigError(
            "A review budget is one for all labels together, and thresholds are learnt for each alone. Set it on "
            "posts of the feed: crossguard review export decided.parquet, then crossguard calibrate decided.parquet "
            f"--feed FEED --criterion {criterion}"
        )
    used, notes = of_one_policy(decided(db, newest=None), policy)
    if moved := sum(item.moved for item in used):
        notes.append(
            f"{moved:,} of these items were scored again under another policy and count as what that one made of them, "
            "so the recall below is too high: learn with the policy that scores the feed now."
        )
    if waiting := flagged_waiting(db, used[0].model):
        notes.append(
            f"Precision is too high, and thresholds and recall may be, while {number_of(waiting, 'flagged post')} "
            f"{'waits' if waiting == 1 else 'wait'} and the highest scores are decided first (Order: urgent first). "
            "Order: random gives an even share."
        )
    try:
        proposals, more = propose(used, strata(db, used[0].model), criterion)
    except InputError as error:
        raise InputError(" ".join([str(error), *notes])) from None
    return proposals, [*notes, *more]


def of_one_policy(found: Sequence[Decided], policy: Policy | None) -> tuple[list[Decided], list[str]]:
    """Returns the items that one model scored under one policy, and what a person should know of the choice.

    Raises:
        InputError: There are none.
    """
    if not found:
        raise InputError("No decided item has scores yet. Decide some in the console: crossguard review")
    counts = Counter(item.model for item in found)
    named = {model: count for model, count in counts.items() if policy and model[2:] == (policy.name, policy.version)}
    (chosen, kept), *_ = Counter(named or counts).most_common(1)
    notes = []
    if policy and not named:
        notes.append(
            f"No decided item was scored under the policy '{policy.name}' (version {policy.version}), so these "
            f"thresholds are for '{chosen[2]}' (version {chosen[3]}), which scored the most."
        )
    if left_out := len(found) - kept:
        notes.append(
            f"{left_out:,} items were scored by another model, or under another policy than '{chosen[2]}' (version "
            f"{chosen[3]}), and are left out."
        )
    return [item for item in found if item.model == chosen], notes


def propose(
    used: Sequence[Decided], strata: Sequence[Stratum], criterion: Criterion
) -> tuple[list[Proposal], list[str]]:
    """Proposes thresholds from items of one model and policy, as `learn` does.

    The sizes of the strata say how many posts a decided one stands for.

    Raises:
        InputError: No label has enough items, or none can meet the criterion.
    """
    notes = list[str]()
    weights = weights_of(used, strata)
    proposals, few, unmet = [], [], list[str]()
    for (label, current), rows in _rules(used).items():
        truth = np.array([used[i].truth[label] >= MAJORITY for i in rows], dtype=bool)
        kinds = tuple(sorted({used[i].kind for i in rows}))
        if min(truth.sum(), (~truth).sum()) < LEAST:
            few.append(f"{label} ({', '.join(kinds)})")
            continue
        items = [used[i] for i in rows]
        try:
            proposals.append(_propose(label, kinds, criterion, truth, items, weights=weights[rows], current=current))
        except InputError as error:
            unmet.append(f"The threshold for {label} ({', '.join(kinds)}) stays: {error}")
    if few:
        notes.append(f"Fewer than {LEAST} items with or without the label, so the threshold stays: {'; '.join(few)}.")
    if unmet and not proposals:
        raise InputError(" ".join(unmet))
    notes += unmet
    if not proposals:
        raise InputError(
            f"No label has {LEAST} items that carry it and {LEAST} that do not among {len(used)}. Decide more."
        )
    checked = {item.stratum for item in used}
    if unseen := undecided(strata, checked, flagged=False):
        proposals = [replace(proposal, recall=(nothing_in(unseen), nothing_in(unseen))) for proposal in proposals]
    if unseen := undecided(strata, checked, flagged=True):
        proposals = [replace(proposal, precision=(nothing_in(unseen), nothing_in(unseen))) for proposal in proposals]
    notes += [
        f"Of {stratum.posts:,} posts in the stratum '{stratum.name}' none is decided, so neither thresholds nor "
        f"{rate} count them, and the true {rate} may be far lower. Decide some of them: they wait among the others."
        for stratum in strata
        if stratum.posts and stratum.name not in {*checked, FAILED}
        for rate in ["precision" if stratum.flagged else "recall"]
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
    items: Sequence[Decided],
    *,
    weights: Floats,
    current: float,
) -> Proposal:
    scores, count = np.array([item.scores[label][0] for item in items]), len(items)

    def fitted(rows: NDArray[np.int64]) -> float:
        try:
            return fit_threshold(criterion, truth[rows], scores[rows], weights[rows])
        except InputError:  # a resample without a positive, or in which the criterion cannot be met
            return float("nan")

    proposed = fit_threshold(criterion, truth, scores, weights)
    drawn = bootstrap(fitted, count)
    low, high = (proposed if bound is None else bound for bound in (drawn.low, drawn.high))
    before, after = scores >= current, scores >= proposed
    held_out = _cross_validated(fitted, truth, scores, proposed)
    now, then = (tables(items, weights, flags, truth) for flags in (before, held_out))
    newly, gone = after & ~before, before & ~after
    return Proposal(
        label,
        kinds,
        count,
        int(truth.sum()),
        current,
        proposed,
        (low, high),
        (found_part(now, int(before.sum())), found_part(then, int(held_out.sum()))),
        (flagged_part(now, count), flagged_part(then, count)),
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
