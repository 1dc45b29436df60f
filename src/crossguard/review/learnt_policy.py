"""The policy file with thresholds that were learnt from what people decided."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from crossguard.bundle import read_bundle
from crossguard.decision.policy import BandsOverride, Kind, LabelPolicy, Policy
from crossguard.decision.policy_file import LabelOverride, PolicyFile, is_policy_file, read_policy_file
from crossguard.errors import ConfigError
from crossguard.loading import find_bundle
from crossguard.moderator import resolve_policy
from crossguard.review.learn import Proposal

SAME: Final = 1e-5
"""Thresholds that differ by less are the same rule's; a policy file holds six digits."""


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
    fitted_on = {
        "name": "review",
        "what": "thresholds",
        "labels": sorted({proposal.label for proposal in proposals}),
        "posts": max(proposal.items for proposal in proposals),
    }
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
        "provenance": {"model": fitted_to, "fitted_on": [fitted_on, *_before(current, fitted_on)], "command": command},
    }
    return file.model_copy(update=learnt)


def _before(policy: Policy, learnt: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns what the policy was fitted on before, without what was learnt of no other label than now."""

    def is_replaced(entry: Mapping[str, Any]) -> bool:
        same = all(entry.get(key) == learnt[key] for key in ("name", "what"))
        return same and set(entry.get("labels", policy.labels)) <= set(learnt["labels"])

    return [entry for entry in policy.provenance.get("fitted_on", ()) if not is_replaced(entry)]


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
