from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from crossguard.evaluation.bootstrap import at_prevalence, bootstrap, bootstrap_counts
from crossguard.evaluation.metrics import Rounds
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


def test_a_mean_has_the_interval_that_theory_gives() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = bootstrap(lambda rows: float(values[rows].mean()), 400)
    assert found.value == pytest.approx(values.mean())
    assert found.count == 400
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.2)


def test_counted_rows_give_the_same_as_rows_one_by_one() -> None:
    answers = np.array([True] * 30 + [False] * 70)
    single = bootstrap(lambda rows: float(answers[rows].mean()), 100)

    def share(drawn: Rounds) -> Rounds:
        return np.asarray(drawn[:, 1] / drawn.sum(axis=1))

    counted = bootstrap_counts(share, np.array([70, 30]), np.zeros(2))
    assert (counted.value, counted.count) == (single.value, 100)
    assert counted.low == pytest.approx(single.low, abs=0.04)
    assert counted.high == pytest.approx(single.high, abs=0.04)


def test_what_is_mostly_undefined_has_no_interval_and_nothing_no_value() -> None:
    found = bootstrap(lambda rows: 1.0 if rows[0] == 0 else float("nan"), 20)
    assert (found.value, found.low) == (1.0, None)
    assert bootstrap(lambda _: 1.0, 0).value is None
    assert bootstrap_counts(lambda drawn: drawn[:, 0], np.array([0, 0]), np.ones(2)).value is None


def test_a_kind_that_has_not_come_yet_may_come() -> None:
    found = bootstrap_counts(lambda drawn: drawn[:, 0] / drawn.sum(axis=1), np.array([10, 0]), np.full(2, 0.5))
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.78, abs=0.05), "as by Jeffreys"
