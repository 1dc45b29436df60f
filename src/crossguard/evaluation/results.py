"""The result of one evaluation: estimates with intervals, in total and per label, and how to store them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossguard.evaluation.bootstrap import engine_for, resample
from crossguard.evaluation.estimates import Estimate, number, values
from crossguard.evaluation.metrics import AVERAGES, METRICS, RANKING, Rounds
from crossguard.evaluation.sample import ANY, Sample, pool

Estimates = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Count:
    """How many posts one label was measured on."""

    annotated: int
    positive: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of one model on one sample."""

    posts: int
    overall: Estimates  # averages over labels, by key (`f1_macro`, `roc_auc_micro`, ..., `subset_accuracy`)
    # Metrics by label, and under `any` for the question whether a post is hateful at all
    per_label: dict[str, Estimates]
    counts: dict[str, Count]

    @property
    def labels(self) -> tuple[str, ...]:
        """The measured labels, without `any`."""
        return tuple(name for name in self.per_label if name != ANY)

    def estimate(self, key: str) -> Estimate | None:
        """Returns an average (`f1_macro`) or a label's metric (`any/roc_auc`); None where it was not measured."""
        label, slash, metric = key.partition("/")
        return self.per_label.get(label, {}).get(metric) if slash else self.overall.get(key)

    def averages(self, keys: Sequence[str]) -> list[str]:
        """Returns the kinds of average of which one of these metrics was measured.

        None was where no label was annotated, but only whether a post is hateful.
        """
        return [kind for kind in AVERAGES if any(f"{key}_{kind}" in self.overall for key in keys)]

    def measured(self, keys: Sequence[str]) -> list[str]:
        """Returns which of these metrics some label has, or `any`, which lacks those of probabilities."""
        return [key for key in keys if any(key in estimates for estimates in self.per_label.values())]

    def undefined(self, keys: Sequence[str] = (), name: Callable[[str], str] = str) -> list[str]:
        """Returns one line per reason why metrics of some labels have no number: `labels: reason (metrics)`."""
        why: dict[tuple[str, str], list[str]] = {}
        for label in self.labels:
            lacking: dict[str, list[str]] = {}
            for key in keys or self.per_label[label]:
                estimate = self.per_label[label][key]
                if estimate.value is None:
                    lacking.setdefault(estimate.reason, []).append(name(key))
            for reason, names in lacking.items():
                why.setdefault((reason, ", ".join(names)), []).append(label)
        return [f"{', '.join(labels)}: {reason} ({names})" for (reason, names), labels in why.items()]


def evaluate(sample: Sample, rounds: int = 1000, seed: int = 0) -> Evaluation:
    """Measures a sample, with intervals from so many bootstrap resamples of its posts; without any for 0 rounds.

    Copies of a post are drawn together. Where all are copies of one, which tells nothing of others, there are none.
    """
    tasks = (*sample.tasks(), sample.task(ANY))
    engine = engine_for(sample)
    found = engine(np.ones((1, len(sample)), dtype=np.int32))
    per_label = {
        task.name: {
            metric.name: number(float(found[f"{task.name}/{metric.name}"][0]), metric.missing(task))
            for metric in (RANKING if task.name == ANY else METRICS.values())
        }
        for task in tasks
    }
    overall = _averages(sample, per_label, found)
    if rounds and sample.owners.any():
        random = np.random.default_rng((seed, 1))  # other numbers than those that draw the posts
        drawn = resample(lambda counts: engine(counts, random), sample.owners, rounds, seed)
        overall = {key: _bounded(key, estimate, drawn[key]) for key, estimate in overall.items()}
        per_label = {
            name: {key: _bounded(key, estimate, drawn[f"{name}/{key}"]) for key, estimate in estimates.items()}
            for name, estimates in per_label.items()
        }
    counts = {t.name: Count(len(t), int(t.truth.sum()), int(t.flags.sum())) for t in tasks}
    return Evaluation(len(sample), overall, per_label, counts)


def _averages(sample: Sample, per_label: Mapping[str, Estimates], whole: Mapping[str, Rounds]) -> Estimates:
    """Returns `<metric>_<average>` over the annotated labels, and `subset_accuracy`, undefined with their reasons."""
    tasks = sample.tasks()
    if not tasks:
        return {"subset_accuracy": Estimate.undefined("no label is annotated")}
    pooled, result = pool(tasks), {}
    for metric in METRICS.values():
        for average in metric.averages:
            reason = metric.missing(pooled)
            if average != "micro":
                counted = [task.name for task in tasks if average == "macro" or task.truth.any()]
                found = {name: per_label[name][metric.name] for name in counted}
                missing = [f"{name}: {one.reason}" for name, one in found.items() if one.value is None]
                reason = "; ".join(missing) or "no label has a positive post"
            key = f"{metric.name}_{average}"
            result[key] = number(float(whole[key][0]), reason)
    result["subset_accuracy"] = number(float(whole["subset_accuracy"][0]), "no post is annotated for every label")
    return result


def _bounded(key: str, estimate: Estimate, rounds: Rounds) -> Estimate:
    if key.startswith("ece"):
        return estimate.with_biased_rounds(rounds)
    return estimate.with_rounds(rounds).around_value()


def baselines(sample: Sample) -> dict[str, Sample]:
    """Returns two models that look at nothing, on the same posts: any real model must beat both.

    `all-positive` flags every post for every label. `prior` gives every post the prevalence of the label as its score,
    and flags where that is at least 0.5.
    """
    known = np.maximum((~np.isnan(sample.truth)).sum(axis=0), 1)
    prevalence = np.nansum(sample.truth, axis=0) / known
    shape = sample.scores.shape
    scores = {"all-positive": np.ones(shape), "prior": np.broadcast_to(prevalence, shape)}
    return {
        name: Sample.build(
            sample.labels, sample.truth, guess, 0.5, ids=sample.ids, hateful=sample.hateful, groups=sample.groups
        )
        for name, guess in scores.items()
    }


def to_test_metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Returns the flat `test_metrics.json`: `f1_macro`, `f1_micro`, `roc_auc_macro` and more, null where undefined."""
    overall = evaluation.overall
    bare = values(overall)
    return {
        **bare,
        "loss": bare.get("log_loss_macro"),
        "samples": evaluation.posts,
        "intervals": {key: [estimate.low, estimate.high] for key, estimate in overall.items() if estimate.interval},
        "undefined": {key: estimate.reason for key, estimate in overall.items() if estimate.value is None},
    }


def to_report(evaluation: Evaluation, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Returns `test_report.json`: the shape of scikit-learn's classification report, with thresholds and more."""

    def row(found: Mapping[str, float | None], support: int, suffix: str = "") -> dict[str, Any]:
        named = {"precision": "precision", "recall": "recall", "f1-score": "f1"}
        return {title: found.get(key + suffix) for title, key in named.items()} | {"support": support}

    report: dict[str, Any] = {}
    for label in evaluation.labels:
        estimates = values(evaluation.per_label[label])
        ranking = {key: estimates[key] for key in ("roc_auc", "average_precision")}
        report[label] = (
            row(estimates, evaluation.counts[label].positive) | ranking | {"threshold": thresholds.get(label)}
        )
    support = sum(evaluation.counts[label].positive for label in evaluation.labels)
    overall = values(evaluation.overall)
    return report | {f"{name} avg": row(overall, support, f"_{name}") for name in ("micro", "macro", "weighted")}
