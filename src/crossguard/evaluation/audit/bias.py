"""Unintended bias per group: AUCs of Borkan et al. 2019, and rates at the live thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from crossguard.evaluation.bootstrap import Table, of_each_kind, resample, share_of
from crossguard.evaluation.estimates import JEFFREYS, Estimate, plain
from crossguard.evaluation.metrics import Counts, Ranked, measure
from crossguard.evaluation.sample import LabelTask, Sample

# Fewer different posts of a kind than this say nothing about a group.
LEAST = 10
# The generalised mean leans towards the worst group (Borkan et al. 2019, and the Jigsaw challenge).
POWER = -5.0
AUCS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
RATES = ("false_positive_rate", "false_negative_rate", "flagged_share", "false_positive_gap")


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """Metrics of one group."""

    posts: int
    positive: int
    # `subgroup_auc` (within the group), `bpsn_auc` (harmless posts of the group against hateful posts of the others:
    # low where harmless posts about the group score too high), `bnsp_auc` (hateful posts of the group against harmless
    # posts of the others: low where hate against the group scores too low), the rates at the live thresholds, and
    # `false_positive_gap` (rate of the group minus rate of all other posts)
    estimates: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        return {"posts": self.posts, "positive": self.positive, **plain(self.estimates)}


@dataclass(frozen=True, slots=True)
class BiasAudit:
    """Metrics of all groups."""

    question: str
    overall_auc: Estimate
    generalised_means: dict[str, Estimate]  # of each AUC over the groups where it is defined
    final_bias_auc: Estimate  # a quarter each of overall AUC and the three means
    groups: dict[str, GroupAudit]
    warnings: tuple[str, ...]  # groups whose harmless posts are flagged more often than others', beyond chance


def audit_groups(
    sample: Sample, groups: Mapping[str, NDArray[np.bool_]], question: str = "any", rounds: int = 200, seed: int = 0
) -> BiasAudit:
    """Measures every group."""
    task = sample.task(question)
    owners = sample.owners
    audits = {name: _audit(task, member[task.rows], owners, rounds, seed) for name, member in groups.items()}
    means = {key: _generalised_mean([audit.estimates[key] for audit in audits.values()]) for key in AUCS}
    overall = _roc_auc(task)
    parts = [overall.value, *(estimate.value for estimate in means.values())]
    known = [value for value in parts if value is not None]
    final = Estimate(float(np.mean(known))) if len(known) == len(parts) else Estimate.undefined("an AUC is undefined")
    return BiasAudit(question, overall, means, final, audits, tuple(_warnings(audits)))


def _audit(task: LabelTask, inside: NDArray[np.bool_], owners: NDArray[np.int64], rounds: int, seed: int) -> GroupAudit:
    pairs = {"subgroup_auc": inside, "bpsn_auc": inside != task.truth, "bnsp_auc": inside == task.truth}
    parts = {key: _part(task, rows) for key, rows in pairs.items()}
    own = owners[task.rows]
    estimates = {key: _auc(part, owners) for key, part in parts.items()} | _rates(task, inside, own)
    ranked = {key: Ranked(part) for key, part in parts.items() if estimates[key].value is not None}

    copies = {key: of_each_kind(parts[key].truth, owners[parts[key].rows]) for key in ranked}
    random = np.random.default_rng((seed, 1))  # other numbers than those that draw the posts

    def compute(counts: Counts) -> Table:
        shape = (4, len(counts))
        return {
            key: one(counts, copies[key] * random.gamma(JEFFREYS, size=shape))["roc_auc"] for key, one in ranked.items()
        }

    drawn = resample(compute, owners, rounds, seed)
    estimates |= {key: estimates[key].with_rounds(found).around_value() for key, found in drawn.items()}
    return GroupAudit(int(inside.sum()), int((inside & task.truth).sum()), estimates)


def _part(task: LabelTask, rows: NDArray[np.bool_]) -> LabelTask:
    return LabelTask(task.name, task.truth[rows], task.scores[rows], task.flags[rows], task.rows[rows])


def _roc_auc(task: LabelTask) -> Estimate:
    return measure(task.truth, task.scores, task.flags)["roc_auc"]


def _auc(part: LabelTask, owners: NDArray[np.int64]) -> Estimate:
    hateful, harmless = (len(np.unique(owners[part.rows[kind]])) for kind in (part.truth, ~part.truth))
    if min(hateful, harmless) < LEAST:
        return Estimate.undefined(
            f"{hateful} hateful and {harmless} harmless posts that differ; {LEAST} each are needed"
        )
    return _roc_auc(part)


def _rates(task: LabelTask, inside: NDArray[np.bool_], owners: NDArray[np.int64]) -> dict[str, Estimate]:
    """Returns rates with intervals from their counts: where no post is flagged, none is in any resample of them.

    `owners`, (m,), are the groups of copies; all copies of a post count in a rate, and as one for its interval.
    """
    if not inside.any() or inside.all():
        return {key: Estimate.undefined("no posts to compare") for key in RATES}
    harmless, hateful, others = inside & ~task.truth, inside & task.truth, ~inside & ~task.truth

    def counts(posts: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[float, float]:
        return share_of(found[posts], owners[posts])

    def too_few(posts: NDArray[np.bool_], kind: str) -> Estimate | None:
        few = len(np.unique(owners[posts])) < LEAST
        return Estimate.undefined(f"fewer than {LEAST} different {kind}") if few else None

    flagged, missed = counts(harmless, task.flags), counts(hateful, ~task.flags)
    few_harmless, few_hateful = too_few(harmless, "harmless posts"), too_few(hateful, "hateful posts")
    few_others = too_few(others, "harmless posts of others")
    return {
        "false_positive_rate": few_harmless or Estimate.share(*flagged),
        "false_negative_rate": few_hateful or Estimate.share(*missed),
        "flagged_share": Estimate.share(*counts(inside, task.flags)),
        "false_positive_gap": few_harmless or few_others or _difference(flagged, counts(others, task.flags)),
    }


def _difference(one: tuple[float, float], other: tuple[float, float]) -> Estimate:
    """Returns one share minus another, of counts and totals, with its interval (Zou and Donner 2008).

    The limits of both shares are exact (Clopper and Pearson 1934; for counts that are not whole, Korn and Graubard
    1998). By score intervals, one group in eleven with few posts would be warned about without a reason where few posts
    are flagged at all.
    """
    (share, low, high), (other_share, other_low, other_high) = (_exact(*counts) for counts in (one, other))
    gap = share - other_share
    return Estimate(
        gap,
        gap - float(np.hypot(share - low, other_high - other_share)),
        gap + float(np.hypot(high - share, other_share - other_low)),
    )


def _exact(hits: float, of: float) -> tuple[float, float, float]:
    """Returns a share and its exact limits."""
    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return hits / of, low, high


def _generalised_mean(estimates: list[Estimate]) -> Estimate:
    values = np.array([estimate.value for estimate in estimates if estimate.value is not None])
    if not len(values):
        return Estimate.undefined("no group has enough posts")
    return Estimate(float(np.mean(np.maximum(values, 1e-6) ** POWER) ** (1 / POWER)))


def _warnings(audits: Mapping[str, GroupAudit]) -> list[str]:
    found = []
    for name, audit in audits.items():
        gap, rate = audit.estimates["false_positive_gap"], audit.estimates["false_positive_rate"]
        if gap.low is not None and gap.low > 0 and rate.value is not None:
            found.append(
                f"Harmless posts of '{name}' are flagged in {rate.value:.1%} of cases, {gap.points} against all others."
            )
    return found
