"""Unintended bias per group: AUCs of Borkan et al. 2019, and rates at the live thresholds through fairlearn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
)
from numpy.typing import NDArray

from crossguard.evaluation.bootstrap import Ranked, draw
from crossguard.evaluation.estimates import Estimate, number
from crossguard.evaluation.metrics import METRICS, measure
from crossguard.evaluation.sample import Sample, Task

# Fewer posts of a kind than this say nothing about a group.
LEAST = 10
# The generalised mean leans towards the worst group (Borkan et al. 2019, and the Jigsaw challenge).
POWER = -5.0
AUCS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
RATES = ("false_positive_rate", "false_negative_rate", "flagged_share")


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """Metrics of one group.

    Attributes:
        group: Its name.
        posts: Annotated posts that belong to it.
        positive: Of those, the hateful ones.
        estimates: `subgroup_auc` (within the group), `bpsn_auc` (harmless posts of the group against hateful posts of
            the others: low where harmless posts about the group score too high), `bnsp_auc` (hateful posts of the group
            against harmless posts of the others: low where hate against the group scores too low), the rates at the
            live thresholds, and `false_positive_gap` (rate of the group minus rate of all other posts).
    """

    group: str
    posts: int
    positive: int
    estimates: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class BiasAudit:
    """Metrics of all groups.

    Attributes:
        question: Label, or `any`.
        overall_auc: ROC-AUC over all posts.
        means: Generalised mean of each AUC over the groups where it is defined.
        final: A quarter each of overall AUC and the three means.
        groups: By name.
        warnings: Groups whose harmless posts are flagged more often than others', beyond chance.
    """

    question: str
    overall_auc: Estimate
    means: dict[str, Estimate]
    final: Estimate
    groups: dict[str, GroupAudit]
    warnings: tuple[str, ...]


def audit_groups(
    sample: Sample, groups: Mapping[str, NDArray[np.bool_]], question: str = "any", rounds: int = 200, seed: int = 0
) -> BiasAudit:
    """Measures every group.

    Args:
        sample: Scores, flags and known labels.
        groups: Per group, which posts belong to it, (n,).
        question: Label, or `any`.
        rounds: Bootstrap resamples for intervals; 0 for none.
        seed: Of the resamples.
    """
    task = sample.task(question)
    audits = {
        name: _audit(task, name, member[task.rows], len(sample), (rounds, seed)) for name, member in groups.items()
    }
    means = {key: _generalised_mean([audit.estimates[key] for audit in audits.values()]) for key in AUCS}
    overall = measure(METRICS["roc_auc"], task)
    parts = [overall.value, *(estimate.value for estimate in means.values())]
    known = [value for value in parts if value is not None]
    final = Estimate(float(np.mean(known))) if len(known) == len(parts) else Estimate.undefined("an AUC is undefined")
    return BiasAudit(question, overall, means, final, audits, tuple(_warnings(audits)))


def _audit(task: Task, name: str, inside: NDArray[np.bool_], posts: int, resampling: tuple[int, int]) -> GroupAudit:
    pairs = {
        "subgroup_auc": inside,
        "bpsn_auc": inside != task.truth,
        "bnsp_auc": inside == task.truth,
    }
    parts = {key: _part(task, rows) for key, rows in pairs.items()}
    estimates = {key: _auc(part) for key, part in parts.items()} | _rates(task, inside)
    rounds, seed = resampling
    if rounds:
        ranked = {key: Ranked(part) for key, part in parts.items() if estimates[key].value is not None}
        cells = [task.truth == yes for yes in (False, True)]
        drawn: dict[str, list[NDArray[np.float64]]] = {key: [] for key in (*ranked, "false_positive_gap")}
        for counts in draw(posts, rounds, seed):
            for key, one in ranked.items():
                drawn[key].append(one(counts)["roc_auc"])
            drawn["false_positive_gap"].append(_gaps(counts[:, task.rows], cells[0], inside, task.flags))
        estimates |= {key: estimates[key].with_rounds(np.concatenate(values)) for key, values in drawn.items()}
    return GroupAudit(name, int(inside.sum()), int((inside & task.truth).sum()), estimates)


def _part(task: Task, rows: NDArray[np.bool_]) -> Task:
    return Task(task.name, task.truth[rows], task.scores[rows], task.flags[rows], task.rows[rows])


def _auc(part: Task) -> Estimate:
    positive = int(part.truth.sum())
    if min(positive, len(part) - positive) < LEAST:
        return Estimate.undefined(
            f"{positive} hateful and {len(part) - positive} harmless posts; {LEAST} each are needed"
        )
    return measure(METRICS["roc_auc"], part)


def _rates(task: Task, inside: NDArray[np.bool_]) -> dict[str, Estimate]:
    harmless, hateful = int((inside & ~task.truth).sum()), int((inside & task.truth).sum())
    few = f"fewer than {LEAST} {{}} posts"
    if not inside.any() or inside.all() or task.truth.all() or not task.truth.any():
        return {key: Estimate.undefined("no posts to compare") for key in (*RATES, "false_positive_gap")}
    frame = MetricFrame(
        metrics={
            "false_positive_rate": false_positive_rate,
            "false_negative_rate": false_negative_rate,
            "flagged_share": selection_rate,
            "posts": count,
        },
        y_true=task.truth.astype(int),
        y_pred=task.flags.astype(int),
        sensitive_features=inside,
    )
    group, others = frame.by_group.loc[True], frame.by_group.loc[False]
    harmless_rate = float(group["false_positive_rate"]) if harmless >= LEAST else float("nan")
    hateful_rate = float(group["false_negative_rate"]) if hateful >= LEAST else float("nan")
    gap = harmless_rate - float(others["false_positive_rate"])
    return {
        "false_positive_rate": number(harmless_rate, few.format("harmless")),
        "false_negative_rate": number(hateful_rate, few.format("hateful")),
        "flagged_share": Estimate(float(group["flagged_share"])),
        "false_positive_gap": number(gap, few.format("harmless")),
    }


def _gaps(
    counts: NDArray[np.int32], harmless: NDArray[np.bool_], inside: NDArray[np.bool_], flags: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Difference of false-positive rates per round, (rounds,)."""
    columns = np.column_stack([
        harmless & inside & flags, harmless & inside, harmless & ~inside & flags, harmless & ~inside
    ])  # fmt: skip
    hits, posts, other_hits, others = (counts.astype(np.float64) @ columns.astype(np.float64)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / posts - other_hits / others)


def _generalised_mean(estimates: list[Estimate]) -> Estimate:
    values = np.array([estimate.value for estimate in estimates if estimate.value is not None])
    if not len(values):
        return Estimate.undefined("no group has enough posts")
    return Estimate(float(np.mean(np.maximum(values, 1e-6) ** POWER) ** (1 / POWER)))


def _warnings(audits: Mapping[str, GroupAudit]) -> list[str]:
    found = []
    for audit in audits.values():
        gap, rate = audit.estimates["false_positive_gap"], audit.estimates["false_positive_rate"]
        if gap.value is None or gap.low is None or gap.high is None or rate.value is None or gap.low <= 0:
            continue
        points = f"{100 * gap.value:+.1f} points [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
        found.append(
            f"Harmless posts of '{audit.group}' are flagged in {rate.value:.1%} of cases, {points} against all others."
        )
    return found
