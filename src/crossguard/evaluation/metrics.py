"""Metrics of one yes/no question, `f(y_true, y_score)` or `f(y_true, y_pred)`, or the reason why one is undefined.

Training, evaluation, audits and the export gate measure with these. scikit-learn computes what it has; `bootstrap.py`
computes the same metrics for a thousand resamples at once; a property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from sklearn.metrics import log_loss as sklearn_log_loss

from crossguard.evaluation.estimates import Estimate, mean
from crossguard.evaluation.sample import Sample, Task, pool

# Expected calibration error over 15 bins of equal width, as Guo et al. 2017 report it.
BINS = 15
# Share of harmless posts that a moderator is willing to see flagged by mistake.
FALSE_POSITIVE_RATES = (0.01, 0.05, 0.1)
# 7 of 140 is 0.05, whichever way a processor rounds the division.
ROUNDING = 1e-9


Truth: TypeAlias = NDArray[np.bool_]
Values: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one yes/no question.

    Attributes:
        name: Key in every report.
        function: From `y_true`, (n,), and scores or flags, (n,), that meet `needs`, to a number.
        on: What it is computed on, besides the answers.
        needs: What must be there: `positive`, `negative`, `flagged`, `bins`.
        averages: Which averages over labels are reported.
        meaning: One line for a reader of the report.
    """

    name: str
    function: Callable[[Truth, Values], float]
    on: Literal["scores", "flags"]
    needs: tuple[str, ...]
    averages: tuple[str, ...]
    meaning: str


def measure(metric: Metric, task: Task) -> Estimate:
    """Returns a metric of one task, or why it is undefined."""
    missing = [_MISSING[need](task) for need in ("post", *metric.needs)]
    reason = next((text for text in missing if text), "")
    return (
        Estimate.undefined(reason)
        if reason
        else Estimate(float(metric.function(task.truth, task.scores if metric.on == "scores" else task.flags)))
    )


def measure_task(task: Task, metrics: Sequence[Metric] | None = None) -> dict[str, Estimate]:
    """Returns every metric of one task by name."""
    return {metric.name: measure(metric, task) for metric in metrics or tuple(METRICS.values())}


def measure_labels(sample: Sample) -> dict[str, dict[str, Estimate]]:
    """Returns every metric of every annotated label."""
    return {task.name: measure_task(task) for task in sample.tasks()}


def averages(sample: Sample, per_label: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Estimate]:
    """Returns `<metric>_<average>` over the annotated labels, and `subset_accuracy`.

    Args:
        sample: What `per_label` was measured on.
        per_label: The result of `measure_labels`.
    """
    tasks = sample.tasks()
    if not tasks:
        return {"subset_accuracy": Estimate.undefined("no label is annotated")}
    pooled, support = pool(tasks), {task.name: float(task.truth.sum()) for task in tasks}
    result: dict[str, Estimate] = {}
    for metric in METRICS.values():
        estimates = {name: per_label[name][metric.name] for name in support}
        for average in metric.averages:
            key = f"{metric.name}_{average}"
            if average == "micro":
                result[key] = measure(metric, pooled)
            else:
                result[key] = mean(estimates, support if average == "weighted" else None)
    result["subset_accuracy"] = subset_accuracy(sample)
    return result


def subset_accuracy(sample: Sample) -> Estimate:
    """Share of fully annotated posts whose flags are right for every label."""
    rows = sample.complete()
    if not rows.any():
        return Estimate.undefined("no post is annotated for every label")
    return Estimate(float(exact(sample)[rows].mean()))


def exact(sample: Sample) -> NDArray[np.bool_]:
    """Returns whether all annotated labels of a post are decided right, (n,)."""
    columns = [sample.labels.index(name) for name in sample.annotated]
    return np.asarray((sample.flags[:, columns] == (sample.truth[:, columns] > 0)).all(axis=1))


def bin_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the calibration bin of each score, 0 to BINS - 1; bins are closed above except the last."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def ece(y_true: Truth, y_score: Values) -> float:
    """Expected calibration error: mean distance between score and outcome per bin, weighted by posts, in [0, 1]."""
    gap = y_score - y_true
    return float(np.abs(np.bincount(bin_of(y_score), weights=gap, minlength=BINS)).sum() / len(y_true))


def recall_at(rate: float) -> Callable[[Truth, Values], float]:
    """Returns the metric "highest recall of any threshold whose false-positive rate is at most `rate`"."""

    def compute(y_true: Truth, y_score: Values) -> float:
        wrong, right, _ = roc_curve(y_true, y_score, drop_intermediate=False)
        return float(right[wrong <= rate + ROUNDING].max())

    return compute


def rate_key(rate: float) -> str:
    """Returns the metric's key, such as `recall_at_fpr_0.01`."""
    return f"recall_at_fpr_{rate:g}"


def false_positive_rate(y_true: Truth, y_pred: Values) -> float:
    """Returns the share of negative posts that were flagged."""
    return float(y_pred[~y_true].mean())


def log_loss(y_true: Truth, y_score: Values) -> float:
    """Mean negative log-likelihood of the answers, in nats; defined for answers of one kind, too."""
    return float(sklearn_log_loss(y_true, y_score, labels=[False, True]))


_MISSING: Mapping[str, Callable[[Task], str]] = MappingProxyType(
    {
        "post": lambda task: "" if len(task) else "no annotated post",
        "positive": lambda task: "" if task.truth.any() else "no positive post",
        "negative": lambda task: "" if not task.truth.all() else "no negative post",
        "flagged": lambda task: "" if task.flags.any() else "nothing was flagged",
        "bins": lambda task: "" if len(task) >= BINS else f"{len(task)} posts are fewer than the {BINS} bins",
    }
)

_ALL = ("macro", "micro", "weighted")
_BOTH = ("positive", "negative")
_LIST = (
    Metric("precision", precision_score, "flags", ("flagged",), _ALL,
           "Of the flagged posts, the share that annotators called hateful"),
    Metric("recall", recall_score, "flags", ("positive",), _ALL, "Of the hateful posts, the share that was flagged"),
    Metric("f1", f1_score, "flags", ("positive",), _ALL, "Harmonic mean of precision and recall at the live threshold"),
    Metric("roc_auc", roc_auc_score, "scores", _BOTH, _ALL,
           "Chance that a hateful post scores above a harmless one; 0.5 is guessing"),
    Metric("average_precision", average_precision_score, "scores", ("positive",), _ALL,
           "Mean precision over all recalls; guessing gives the prevalence"),
    Metric("false_positive_rate", false_positive_rate, "flags", ("negative",), ("macro",),
           "Of the harmless posts, the share that was flagged"),
    Metric("balanced_accuracy", balanced_accuracy_score, "flags", _BOTH, ("macro",),
           "Mean of the shares decided right among hateful and among harmless posts; guessing gives 0.5"),
    *(
        Metric(rate_key(rate), recall_at(rate), "scores", _BOTH, ("macro",),
               f"Highest recall when at most {rate:.0%} of harmless posts are flagged")
        for rate in FALSE_POSITIVE_RATES
    ),
    Metric("brier", brier_score_loss, "scores", (), ("macro",),
           "Mean squared distance between score and outcome; lower is better"),
    Metric("log_loss", log_loss, "scores", (), ("macro",),
           "Mean surprise at the outcome in nats, the loss of training; lower is better"),
    Metric("ece", ece, "scores", ("bins",), ("macro",), "How far scores are from observed shares; lower is better"),
)  # fmt: skip
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _LIST})
# The highest label score ranks posts, but it is not the probability that a post carries any label.
RANKING = tuple(metric for metric in _LIST if metric.name not in ("brier", "log_loss", "ece"))
