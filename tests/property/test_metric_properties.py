"""Every metric against an independent implementation, on random inputs with ties, rare labels and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from crossguard.evaluation.bootstrap import engine_for
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import BINS, METRICS, RANKING, averages, ece, measure_labels, measure_task
from crossguard.evaluation.sample import Sample, Task


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


@given(samples())
@settings(deadline=None)
def test_the_engine_equals_scikit_learn_when_each_post_is_drawn_once(sample: Sample) -> None:
    ones = np.ones((1, len(sample)), dtype=np.int32)
    overall, per_label = engine_for(sample)(ones)
    measured = measure_labels(sample)
    for label, estimates in measured.items():
        for name, estimate in estimates.items():
            assert same(estimate, per_label[label][name][0]), (label, name, estimate, per_label[label][name])
    for name, estimate in averages(sample, measured).items():
        assert same(estimate, overall[name][0]), (name, estimate, overall[name])
    for name, estimate in measure_task(sample.task("any"), RANKING).items():
        assert same(estimate, per_label["any"][name][0]), (name, estimate)


@given(samples(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_round_equals_measuring_the_drawn_posts(sample: Sample, seed: int) -> None:
    picks = np.random.default_rng(seed).integers(len(sample), size=len(sample))
    counts = np.bincount(picks, minlength=len(sample)).astype(np.int32)[None]
    # The engine keeps a label that the resample has no answer for; `take` would drop it.
    drawn = measure_labels(sample.take(picks.astype(np.int64)))
    _, per_label = engine_for(sample)(counts)
    for label, estimates in drawn.items():
        for name, estimate in estimates.items():
            assert same(estimate, per_label[label][name][0]), (label, name, estimate)


@given(samples(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_counts_act_as_scikit_learn_sample_weights(sample: Sample, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 4, size=len(sample)).astype(np.int32)
    _, per_label = engine_for(sample)(counts[None])
    for task in sample.tasks():
        if task.truth.all() or not task.truth.any() or not task.flags.any():
            continue
        got, weight = per_label[task.name], counts[task.rows]
        expected = {
            "roc_auc": roc_auc_score(task.truth, task.scores, sample_weight=weight),
            "average_precision": average_precision_score(task.truth, task.scores, sample_weight=weight),
            "brier": brier_score_loss(task.truth, task.scores, sample_weight=weight),
            "f1": f1_score(task.truth, task.flags, sample_weight=weight),
            "precision": precision_score(task.truth, task.flags, sample_weight=weight),
            "recall": recall_score(task.truth, task.flags, sample_weight=weight),
        }
        for name, value in expected.items():
            assert got[name][0] == pytest.approx(value), name


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
        assert ece(task.truth, task.scores) == pytest.approx(total, abs=1e-9)


@given(samples())
@settings(deadline=None)
def test_recall_at_a_false_positive_rate_equals_trying_every_threshold(sample: Sample) -> None:
    for task in sample.tasks():
        if task.truth.all() or not task.truth.any():
            continue
        best = max(_recall_if_cheap(task, threshold, 0.1) for threshold in (2.0, *task.scores))
        assert METRICS["recall_at_fpr_0.1"].function(task.truth, task.scores) == pytest.approx(best)


def _recall_if_cheap(task: Task, threshold: float, rate: float) -> float:
    flags = task.scores >= threshold
    return float(flags[task.truth].mean()) if flags[~task.truth].mean() <= rate + 1e-9 else 0.0
