"""Thresholds for the live feed from what people decided, and the policy file with them. Nothing is applied here."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from sqlalchemy import Connection

from crossguard.bundle import read_bundle
from crossguard.decision.calibration import Floats
from crossguard.decision.policy import BandsOverride, Kind, LabelPolicy, Policy
from crossguard.decision.policy_file import LabelOverride, PolicyFile, is_policy_file, read_policy_file
from crossguard.errors import ConfigError, InputError, number_of
from crossguard.evaluation.bootstrap import bootstrap
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.thresholds import fit_threshold
from crossguard.evaluation.estimates import Estimate
from crossguard.loading import find_bundle
from crossguard.moderator import resolve_policy
from crossguard.review.intake import FAILED
from crossguard.review.quality.model import nothing_in, undecided
from crossguard.review.quality.reading import Decided, Stratum, decided, flagged_waiting, strata
from crossguard.review.quality.weighing import Flags, flagged_part, found_part, tables, weights_of
from crossguard.review.resolution import MAJORITY

LEAST: Final = 10
"""Items with a label and items without it that a threshold needs."""
FOLDS: Final = 5
SAME: Final = 1e-5
"""Thresholds that differ by less are the same rule's; a policy file holds six digits."""


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


def policy_file(
    model: str,
    policy: str,
    proposals: Sequence[Proposal],
    name: str,
    command: str,
    *,
    note: Callable[[str], object] = warnings.warn,
) -> PolicyFile:
    """Returns a policy file with the proposed thresholds in place of the ones that they were compared with.

    Calibration stays, and so do other rules, also those for one kind of input, and what else a policy file says; bands
    stay as far as the order allows. Where those of a tenant cannot, it is told.

    Raises:
        ConfigError: A threshold was compared with one that this policy does not have.
    """
    bundle = read_bundle(find_bundle(model), verify=False)
    current = resolve_policy(bundle, policy)
    _check_thresholds(current, proposals)
    file = read_policy_file(Path(policy)) if is_policy_file(policy) else PolicyFile(name=name, version="1", base=policy)
    # Calibration stays, and with it the model that it was fitted to.
    fitted_to = current.provenance.get("model", bundle.identity)
    fitted_on = {"name": "review", "what": "thresholds", "posts": max(proposal.items for proposal in proposals)}
    labels = {
        label: LabelOverride(
            **_bands(rule, proposals, label, _without_own(current, label)).given(),
            calibration=rule.calibration,
            prevalence=rule.prevalence,
        )
        for label, rule in current.labels.items()
    }
    inputs = {
        kind: {label: _bands(current.rules(kind)[label], proposals, label, {kind}) for label in overrides}
        for kind, overrides in current.inputs.items()
    }
    learnt = {
        "name": name,
        "version": "1",
        "description": "Thresholds learnt from what people decided.",
        "labels": labels,
        "inputs": inputs or None,
        "tenants": _tenants(file, [labels, *inputs.values()], note),
        "provenance": {"model": fitted_to, "fitted_on": [fitted_on], "command": command},
    }
    return file.model_copy(update=learnt)


def _check_thresholds(policy: Policy, proposals: Sequence[Proposal]) -> None:
    for proposal in proposals:
        found = (policy.rules(kind)[proposal.label].threshold for kind in proposal.kinds)
        if not any(abs(threshold - proposal.current) < SAME for threshold in found):
            raise ConfigError(
                f"The items were scored with the threshold {proposal.current:.6g} for {proposal.label}, which the "
                f"policy '{policy.name}' does not have. Name the one that they were scored with: "
                "crossguard review --policy POLICY learn"
            )


def _without_own(policy: Policy, label: str) -> set[Kind]:
    """Returns the kinds of input for which a label has no bands of its own."""
    return {kind for kind in get_args(Kind) if label not in policy.inputs.get(kind, {})}


def _bands(rule: LabelPolicy, proposals: Sequence[Proposal], label: str, kinds: set[Kind]) -> BandsOverride:
    """Returns a rule's bands with the threshold that was learnt from posts of these kinds; nobody judged the others."""
    learnt = (p for p in proposals if p.label == label and kinds & set(p.kinds))
    found = (p.proposed for p in learnt if abs(p.current - rule.threshold) < SAME)
    threshold = round(next(found, rule.threshold), 6)
    return BandsOverride(
        threshold=threshold,
        review=None if rule.review is None else min(rule.review, threshold),
        block=None if rule.block is None else max(rule.block, threshold),
    )


def _tenants(
    file: PolicyFile, learnt: Sequence[Mapping[str, BandsOverride]], note: Callable[[str], object]
) -> dict[str, dict[str, LabelOverride]]:
    """Returns the bands of each tenant; those that lie on the wrong side of a learnt threshold now are moved to it."""
    found: dict[str, dict[str, LabelOverride]] = {tenant: {} for tenant in file.tenants}
    for tenant, rules in file.tenants.items():
        for label, own in rules.items():
            moved = _out_of_order(own, [bands[label].threshold for bands in learnt if label in bands])
            for band, limit in moved.items():
                was = getattr(own, band)
                note(f"Tenant '{tenant}': {band} of {label} moves from {was:g} to the new threshold {limit:g}.")
            found[tenant][label] = own.model_copy(update=moved)
    return found


def _out_of_order(own: BandsOverride, thresholds: Sequence[float | None]) -> dict[str, float]:
    """Returns where bands have to move for these thresholds: a tenant's hold for every kind of input."""
    if own.threshold is not None:  # which counts in the place of those
        return {}
    limits = [threshold for threshold in thresholds if threshold is not None]
    found = {}
    if own.review is not None and own.review > min(limits):
        found["review"] = min(limits)
    if own.block is not None and own.block < max(limits):
        found["block"] = max(limits)
    return found
