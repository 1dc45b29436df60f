"""Point values of every metric, computed by scikit-learn, or the reason why a metric is undefined.

`resampling.py` computes the same metrics for a thousand resamples at once; a property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from crossguard.evaluation.figures import Figure, mean
from crossguard.evaluation.sample import Sample, Task, pool

# Expected calibration error over 15 bins of equal width, as Guo et al. 2017 report it.
BINS = 15
# Share of harmless posts that a moderator is willing to see flagged by mistake.
FALSE_POSITIVE_RATES = (0.01, 0.05, 0.1)
# 7 of 140 is 0.05, whichever way a processor rounds the division.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one yes/no question.

    Attributes:
        name: Key in every report.
        compute: From a task that meets `needs` to a number.
        needs: What must be there: `positive`, `negative`, `flagged`, `bins`.
        averages: Which averages over labels are reported.
        meaning: One line for a reader of the report.
    """

    name: str
    compute: Callable[[Task], float]
    needs: tuple[str, ...]
    averages: tuple[str, ...]
    meaning: str


def measure(metric: Metric, task: Task) -> Figure:
    """Returns a metric of one task, or why it is undefined."""
    missing = [_MISSING[need](task) for need in ("post", *metric.needs)]
    reason = next((text for text in missing if text), "")
    return Figure.undefined(reason) if reason else Figure(metric.compute(task))


def measure_task(task: Task, metrics: Sequence[Metric] | None = None) -> dict[str, Figure]:
    """Returns every metric of one task by name."""
    return {metric.name: measure(metric, task) for metric in metrics or tuple(METRICS.values())}


def measure_labels(sample: Sample) -> dict[str, dict[str, Figure]]:
    """Returns every metric of every annotated label."""
    return {task.name: measure_task(task) for task in sample.tasks()}


def averages(sample: Sample, per_label: Mapping[str, Mapping[str, Figure]]) -> dict[str, Figure]:
    """Returns `<metric>_<average>` over the annotated labels, and `subset_accuracy`.

    Args:
        sample: What `per_label` was measured on.
        per_label: The result of `measure_labels`.
    """
    tasks = sample.tasks()
    if not tasks:
        return {"subset_accuracy": Figure.undefined("no label is annotated")}
    pooled, support = pool(tasks), {task.name: float(task.truth.sum()) for task in tasks}
    result: dict[str, Figure] = {}
    for metric in METRICS.values():
        figures = {name: per_label[name][metric.name] for name in support}
        for average in metric.averages:
            key = f"{metric.name}_{average}"
            if average == "micro":
                result[key] = measure(metric, pooled)
            else:
                result[key] = mean(figures, support if average == "weighted" else None)
    result["subset_accuracy"] = subset_accuracy(sample)
    return result


def subset_accuracy(sample: Sample) -> Figure:
    """Share of fully annotated posts whose flags are right for every label."""
    rows = sample.complete()
    if not rows.any():
        return Figure.undefined("no post is annotated for every label")
    return Figure(float(exact(sample)[rows].mean()))


def exact(sample: Sample) -> NDArray[np.bool_]:
    """Returns whether all annotated labels of a post are decided right, (n,)."""
    columns = [sample.labels.index(name) for name in sample.annotated]
    return np.asarray((sample.flags[:, columns] == (sample.truth[:, columns] > 0)).all(axis=1))


def bin_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the calibration bin of each score, 0 to BINS - 1; bins are closed above except the last."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def ece(task: Task) -> float:
    """Expected calibration error: mean distance between score and outcome per bin, weighted by posts, in [0, 1]."""
    bins, gap = bin_of(task.scores), task.scores - task.truth
    return float(np.abs(np.bincount(bins, weights=gap, minlength=BINS)).sum() / len(task))


def recall_at(rate: float) -> Callable[[Task], float]:
    """Returns the metric "highest recall of any threshold whose false-positive rate is at most `rate`"."""

    def compute(task: Task) -> float:
        wrong, right, _ = roc_curve(task.truth, task.scores, drop_intermediate=False)
        return float(right[wrong <= rate + ROUNDING].max())

    return compute


def rate_key(rate: float) -> str:
    """Returns the metric's key, such as `recall_at_fpr_0.01`."""
    return f"recall_at_fpr_{rate:g}"


def _false_positive_rate(task: Task) -> float:
    return float(task.flags[~task.truth].mean())


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
_LIST = (
    Metric(
        "precision",
        lambda task: float(precision_score(task.truth, task.flags)),
        ("flagged",),
        _ALL,
        "Of the flagged posts, the share that annotators called hateful",
    ),
    Metric(
        "recall",
        lambda task: float(recall_score(task.truth, task.flags)),
        ("positive",),
        _ALL,
        "Of the hateful posts, the share that was flagged",
    ),
    Metric(
        "f1",
        lambda task: float(f1_score(task.truth, task.flags)),
        ("positive",),
        _ALL,
        "Harmonic mean of precision and recall at the live threshold",
    ),
    Metric(
        "roc_auc",
        lambda task: float(roc_auc_score(task.truth, task.scores)),
        ("positive", "negative"),
        _ALL,
        "Chance that a hateful post scores above a harmless one; 0.5 is guessing",
    ),
    Metric(
        "average_precision",
        lambda task: float(average_precision_score(task.truth, task.scores)),
        ("positive",),
        _ALL,
        "Mean precision over all recalls; guessing gives the prevalence",
    ),
    Metric(
        "false_positive_rate",
        _false_positive_rate,
        ("negative",),
        ("macro",),
        "Of the harmless posts, the share that was flagged",
    ),
    Metric(
        "balanced_accuracy",
        lambda task: float(balanced_accuracy_score(task.truth, task.flags)),
        ("positive", "negative"),
        ("macro",),
        "Mean of the shares decided right among hateful and among harmless posts; guessing gives 0.5",
    ),
    *(
        Metric(
            rate_key(rate),
            recall_at(rate),
            ("positive", "negative"),
            ("macro",),
            f"Highest recall when at most {rate:.0%} of harmless posts are flagged",
        )
        for rate in FALSE_POSITIVE_RATES
    ),
    Metric(
        "brier",
        lambda task: float(brier_score_loss(task.truth, task.scores)),
        (),
        ("macro",),
        "Mean squared distance between score and outcome; lower is better",
    ),
    Metric(
        "log_loss",
        lambda task: float(log_loss(task.truth, task.scores, labels=[False, True])),
        (),
        ("macro",),
        "Mean surprise at the outcome in nats, the loss of training; lower is better",
    ),
    Metric("ece", ece, ("bins",), ("macro",), "How far scores are from observed shares; lower is better"),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _LIST})
# The highest label score ranks posts, but it is not the probability that a post carries any label.
RANKING = tuple(metric for metric in _LIST if metric.name not in ("brier", "log_loss", "ece"))
