"""The policy file that holds what was learnt; everything else of the policy stays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from crossguard.bundle import read_bundle
from crossguard.decision.policy import (
    BandsOverride,
    Kind,
    LabelOverride,
    LabelPolicy,
    Policy,
    PolicyFile,
    is_policy_file,
    read_policy_file,
)
from crossguard.errors import ConfigError
from crossguard.loading import find_bundle
from crossguard.moderator import resolve_policy
from crossguard.review.learn import Proposal

SAME: Final = 1e-5
"""Thresholds that differ by less are the same rule's; a policy file holds six digits."""


def policy_file(model: str, policy: str, proposals: Sequence[Proposal], name: str, command: str) -> PolicyFile:
    """Returns a policy file with the proposed thresholds in place of the ones that they were compared with.

    Calibration stays, and so do other rules, also those for one kind of input, and what else a policy file says; bands
    stay as far as the order allows.

    Raises:
        ConfigError: A threshold was compared with one that this policy does not have.
    """
    bundle = read_bundle(find_bundle(model), verify=False)
    current = resolve_policy(bundle, policy)
    _check(current, proposals)
    file = read_policy_file(Path(policy)) if is_policy_file(policy) else PolicyFile(name=name, version="1", base=policy)
    fitted_on = {"name": "review", "what": "thresholds", "posts": max(proposal.items for proposal in proposals)}
    inputs = {
        kind: {label: _bands(current.rules(kind)[label], proposals, label, {kind}) for label in overrides}
        for kind, overrides in current.inputs.items()
    }
    learnt = {
        "name": name,
        "version": "1",
        "description": "Thresholds learnt from what people decided.",
        "labels": {
            label: LabelOverride(
                **_bands(rule, proposals, label, _without_own(current, label)).given(),
                calibration=rule.calibration,
                prevalence=rule.prevalence,
            )
            for label, rule in current.labels.items()
        },
        "inputs": inputs or None,
        "provenance": {"fitted_on": [fitted_on], "command": command},
    }
    return file.model_copy(update=learnt)


def _check(policy: Policy, proposals: Sequence[Proposal]) -> None:
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
