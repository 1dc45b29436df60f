from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from crossguard.evaluation.bootstrap import at_prevalence
from crossguard.evaluation.sample import LabelTask, Sample


@pytest.fixture
def task() -> LabelTask:
    random = np.random.default_rng(0)
    truth = (random.random((400, 1)) < 0.3).astype(float)
    return Sample.build("a", truth, 0.4 * truth + 0.6 * random.random((400, 1))).task("a")


def test_at_its_own_prevalence_the_metrics_are_scikit_learns(task: LabelTask) -> None:
    found = at_prevalence(task, None)
    expected = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    for key, metric in expected.items():
        assert found[key].value == pytest.approx(metric(task.truth, task.flags)), key


def test_at_another_prevalence_they_are_those_of_weighted_posts(task: LabelTask) -> None:
    weights = np.where(task.truth, 0.01 / task.truth.mean(), 0.99 / (~task.truth).mean())
    found = at_prevalence(task, 0.01, rounds=200)
    for key, metric in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        estimate = found[key]
        assert estimate.value == pytest.approx(metric(task.truth, task.flags, sample_weight=weights)), key
        assert estimate.low is not None
        assert estimate.value is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high


def test_a_policy_that_flags_nothing_has_no_precision(task: LabelTask) -> None:
    silent = LabelTask(task.name, task.truth, task.scores, np.zeros_like(task.flags), task.rows)
    found = at_prevalence(silent, 0.01)
    assert found["precision"].reason == "nothing was flagged"
    assert found["f1"].value == found["recall"].value == 0.0
