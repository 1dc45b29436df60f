"""Every metric against an independent implementation, on random inputs with ties, rare labels and gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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

from crossguard.evaluation.bootstrap import engine_for
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import BINS, METRICS, measure
from crossguard.evaluation.results import evaluate
from crossguard.evaluation.sample import ANY, LabelTask, Sample, pool


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Up to 60 posts by 3 labels: coarse scores (ties), any prevalence, some answers unknown."""
    posts, seed = draw(st.integers(1, 60)), draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    steps = draw(st.sampled_from([3, 20, 10**6]))
    scores = generator.integers(steps + 1, size=(posts, 3)) / steps
    truth = (generator.random((posts, 3)) < draw(st.sampled_from([0.0, 0.05, 0.5, 1.0]))).astype(float)
    truth[generator.random((posts, 3)) < draw(st.sampled_from([0.0, 0.3]))] = np.nan
    return Sample.build("abc", truth, scores, np.array([0.3, 0.5, 0.9]))


def same(estimate: Estimate, value: float) -> bool:
    return np.isnan(value) if estimate.value is None else bool(np.isclose(estimate.value, value, atol=1e-9))


def _recall_at(rate: float) -> Callable[..., float]:
    def compute(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
        wrong, right, _ = roc_curve(truth, scores, drop_intermediate=False)
        return float(right[wrong <= rate + 1e-9].max())

    return compute


ON_FLAGS: dict[str, Callable[..., float]] = {
    "precision": precision_score,
    "recall": recall_score,
    "f1": f1_score,
    "balanced_accuracy": balanced_accuracy_score,
    "false_positive_rate": lambda truth, flags: float(flags[~truth].mean()),
}
ON_SCORES: dict[str, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
    "brier": brier_score_loss,
    "log_loss": lambda truth, scores: log_loss(truth, scores, labels=[False, True]),
    **{f"recall_at_fpr_{rate:g}": _recall_at(rate) for rate in (0.01, 0.05, 0.1)},
}


@given(samples())
@settings(deadline=None)
def test_every_metric_equals_scikit_learns(sample: Sample) -> None:
    assert set(METRICS) == {*ON_FLAGS, *ON_SCORES, "ece"}, "ece is tested below"
    for task in sample.tasks():
        measured = measure(task.truth, task.scores, task.flags)
        for name, metric in METRICS.items():
            assert (measured[name].value is None) == bool(metric.missing(task)), name
            if measured[name].value is None or name == "ece":
                continue
            values = task.flags if name in ON_FLAGS else task.scores
            expected = (ON_FLAGS | ON_SCORES)[name](task.truth, values)
            assert measured[name].value == pytest.approx(expected, abs=1e-9), name


@given(samples())
@settings(deadline=None)
def test_averages_follow_from_the_labels_and_from_all_questions_as_one(sample: Sample) -> None:
    found, tasks = evaluate(sample, 0), sample.tasks()
    if not tasks:
        return
    whole = pool(tasks)
    pooled = measure(whole.truth, whole.scores, whole.flags)
    support = np.array([task.truth.sum() for task in tasks])
    for metric in METRICS.values():
        values = [found.per_label[task.name][metric.name].value for task in tasks]
        numbers = np.array([np.nan if value is None else value for value in values])
        assert same(found.overall[f"{metric.name}_macro"], numbers.mean())
        if "micro" in metric.averages:
            assert found.overall[f"{metric.name}_micro"] == pooled[metric.name]
        if "weighted" in metric.averages and support.any():
            weighted = np.average(numbers[support > 0], weights=support[support > 0])
            assert same(found.overall[f"{metric.name}_weighted"], weighted)
    rows = sample.complete()
    if rows.any():
        columns = [sample.labels.index(name) for name in sample.annotated]
        right = (sample.flags[:, columns] == sample.truth[:, columns]).all(axis=1)
        assert same(found.overall["subset_accuracy"], right[rows].mean())


@given(samples(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_round_equals_measuring_the_drawn_posts(sample: Sample, seed: int) -> None:
    picks = np.random.default_rng(seed).integers(len(sample), size=len(sample))
    counts = np.bincount(picks, minlength=len(sample)).astype(np.int32)[None]
    # The engine keeps a label that the resample has no answer for; `take` would drop it.
    drawn = evaluate(sample.take(picks.astype(np.int64)), 0).per_label
    found = engine_for(sample)(counts)
    for label in (name for name in drawn if name != ANY):
        for name, estimate in drawn[label].items():
            assert same(estimate, found[f"{label}/{name}"][0]), (label, name, estimate)


@given(samples(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_counts_act_as_scikit_learn_sample_weights(sample: Sample, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 4, size=len(sample)).astype(np.int32)
    found = engine_for(sample)(counts[None])
    for task in sample.tasks():
        if task.truth.all() or not task.truth.any() or not task.flags.any():
            continue
        weight = counts[task.rows]
        expected = {
            "roc_auc": roc_auc_score(task.truth, task.scores, sample_weight=weight),
            "average_precision": average_precision_score(task.truth, task.scores, sample_weight=weight),
            "brier": brier_score_loss(task.truth, task.scores, sample_weight=weight),
            "f1": f1_score(task.truth, task.flags, sample_weight=weight),
            "precision": precision_score(task.truth, task.flags, sample_weight=weight),
            "recall": recall_score(task.truth, task.flags, sample_weight=weight),
        }
        for name, value in expected.items():
            assert found[f"{task.name}/{name}"][0] == pytest.approx(value), name


@given(samples())
@settings(deadline=None)
def test_ece_equals_its_definition_in_plain_loops(sample: Sample) -> None:
    for task in sample.tasks():
        total = 0.0
        for low in range(BINS):
            inside = [i for i, s in enumerate(task.scores) if low <= s * BINS < low + 1 or (s == 1 and low == BINS - 1)]
            if inside:
                confidence = sum(task.scores[i] for i in inside) / len(inside)
                outcome = sum(task.truth[i] for i in inside) / len(inside)
                total += len(inside) / len(task) * abs(confidence - outcome)
        found = measure(task.truth, task.scores)["ece"].value
        assert found is None if len(task) < BINS else found == pytest.approx(total, abs=1e-9)


@given(samples())
@settings(deadline=None)
def test_recall_at_a_false_positive_rate_equals_trying_every_threshold(sample: Sample) -> None:
    for task in sample.tasks():
        if task.truth.all() or not task.truth.any():
            continue
        best = max(_recall_if_cheap(task, threshold, 0.1) for threshold in (2.0, *task.scores))
        assert measure(task.truth, task.scores)["recall_at_fpr_0.1"].value == pytest.approx(best)


def _recall_if_cheap(task: LabelTask, threshold: float, rate: float) -> float:
    flags = task.scores >= threshold
    return float(flags[task.truth].mean()) if flags[~task.truth].mean() <= rate + 1e-9 else 0.0
