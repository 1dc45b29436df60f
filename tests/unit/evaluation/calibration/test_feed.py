from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score, recall_score
from tests.support.estimates import defined

from crossguard.evaluation.calibration.feed import at_prevalence, likely_prevalences
from crossguard.evaluation.calibration.maps import estimate_prevalence, fit_platt
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


def test_copies_of_posts_make_no_interval_narrower(task: LabelTask) -> None:
    rows = np.tile(np.arange(len(task)), 9)
    many = LabelTask("a", task.truth[rows], task.scores[rows], task.flags[rows], np.arange(len(rows)))
    one, known, unknown = (
        at_prevalence(task, None, 500),
        at_prevalence(many, None, 500, owners=rows),
        at_prevalence(many, None, 500),
    )
    for key, estimate in one.items():
        assert (known[key].value, known[key].low) == pytest.approx((estimate.value, estimate.low)), key
        assert defined(unknown[key]).low > defined(known[key]).low


def test_at_another_prevalence_they_are_those_of_weighted_posts(task: LabelTask) -> None:
    weights = np.where(task.truth, 0.01 / task.truth.mean(), 0.99 / (~task.truth).mean())
    found = at_prevalence(task, 0.01, rounds=200)
    for key, metric in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        estimate = found[key]
        assert estimate.value == pytest.approx(metric(task.truth, task.flags, sample_weight=weights)), key
        low, value, high = defined(estimate)
        assert low <= value <= high


def test_a_policy_that_flags_nothing_has_no_precision(task: LabelTask) -> None:
    silent = LabelTask(task.name, task.truth, task.scores, np.zeros_like(task.flags), task.rows)
    found = at_prevalence(silent, 0.01)
    assert found["precision"].reason == "nothing was flagged"
    assert found["f1"].value == found["recall"].value == 0.0


def flagged(hits: int, yes: int, alarms: int, no: int) -> LabelTask:
    truth = np.arange(yes + no) < yes
    flags = np.concatenate([np.arange(yes) < hits, np.arange(no) < alarms])
    return LabelTask("a", truth, 0.5 * flags, flags, np.arange(yes + no))


def test_no_false_alarm_among_few_posts_does_not_make_precision_certain() -> None:
    """By hand: after 0 of 150, Jeffreys' rate is below 0.0166 in 97.5 %, and 0.0035 / (0.0035 + 0.0165) is 0.175."""
    precision = at_prevalence(flagged(42, 60, 0, 150), 0.005, rounds=1000)["precision"]
    assert precision.value == precision.high == 1.0
    assert precision.low == pytest.approx(0.175, abs=0.03)


@pytest.mark.parametrize(("no", "rate"), [(150, 0.01), (300, 0.005), (1000, 0.02)])
def test_intervals_of_precision_in_a_feed_hold(no: int, rate: float) -> None:
    random, recall, target = np.random.default_rng(5), 0.6, 0.005
    true = target * recall / (target * recall + (1 - target) * rate)
    found = [
        at_prevalence(flagged(random.binomial(100, recall), 100, random.binomial(no, rate), no), target, 300)
        for _ in range(200)
    ]
    covered = [(one["precision"].low or 0.0) <= true <= (one["precision"].high or 0.0) for one in found]
    assert np.mean(covered) > 0.92


def drawn(posts: int, share: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    truth = random.random(posts) < share
    return random.normal(size=posts) + 2 * truth - 1, truth


def test_an_estimated_prevalence_spreads_as_over_other_samples() -> None:
    logits, truth = drawn(600, 0.3, 0)
    feed = drawn(1000, 0.05, 1)[0]
    spread = likely_prevalences(fit_platt, logits, truth, feed, rounds=60).std()
    others = []
    for seed in range(2, 62):
        seen, carried = drawn(600, 0.3, seed)
        scores = fit_platt(seen, carried).apply(drawn(1000, 0.05, 1000 + seed)[0])
        others.append(estimate_prevalence(scores, float(carried.mean())))
    assert spread == pytest.approx(np.std(others), rel=0.4)


def test_copies_of_posts_make_no_estimated_prevalence_surer() -> None:
    logits, truth = drawn(300, 0.3, 0)
    feed = drawn(200, 0.05, 1)[0]
    one = likely_prevalences(fit_platt, logits, truth, feed, rounds=100).std()
    own, among = np.arange(300).repeat(9), np.arange(200).repeat(9)
    many = logits[own], truth[own], feed[among]
    known = likely_prevalences(fit_platt, *many, owners=own, feed_owners=among, rounds=100).std()
    assert known == pytest.approx(one, rel=0.2)
    assert likely_prevalences(fit_platt, *many, rounds=100).std() < 0.5 * one


def test_an_estimated_prevalence_widens_precision_and_leaves_recall(task: LabelTask) -> None:
    known = at_prevalence(task, 0.01, rounds=500)
    estimated = at_prevalence(task, 0.01, rounds=500, likely=np.linspace(0.001, 0.02, 50))
    widths = [(one["precision"].high or 0.0) - (one["precision"].low or 0.0) for one in (known, estimated)]
    assert widths[1] > 1.5 * widths[0]
    assert estimated["recall"].value == known["recall"].value
