from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from crossguard.evaluation.curves import POINTS, Confusion, precision_recall, reliability, roc, threshold_sweep, worst
from crossguard.evaluation.sample import Sample


def test_curves_keep_their_ends_and_are_thinned() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((5000, 1)) < 0.3).astype(float)
    task = Sample.build("a", truth, 0.2 * truth + 0.8 * generator.random((5000, 1))).task("a")
    curve = roc(task)
    assert curve is not None
    assert (curve.points[0], curve.points[-1]) == ((0, 0), (1, 1))
    assert len(curve.points) <= POINTS + 2
    found = precision_recall(task)
    assert found is not None
    area = -np.trapezoid([y for _, y in found.points], [x for x, _ in found.points])
    assert area == pytest.approx(average_precision_score(task.truth, task.scores), abs=0.002)


def test_precision_over_recall_has_steps_and_no_precision_that_nothing_was_flagged_with() -> None:
    truth, scores = np.array([[0.0], [1], [0], [1]]), np.array([[0.9], [0.8], [0.4], [0.2]])
    task = Sample.build("a", truth, scores).task("a")
    found = precision_recall(task)
    assert found is not None
    assert found.points == ((1, 0.5), (0.5, 0.5), (0.5, 0.3333), (0.5, 0.3333), (0.5, 0.5), (0, 0.5), (0, 0), (0, 0))
    area = -np.trapezoid([y for _, y in found.points], [x for x, _ in found.points])
    assert area == pytest.approx(average_precision_score(task.truth, task.scores))
    one = precision_recall(Sample.build("a", truth, np.full((4, 1), 0.3)).task("a"))
    assert one is not None
    assert one.points == ((1, 0.5), (0, 0.5))


def test_a_curve_that_cannot_be_drawn_is_none() -> None:
    task = Sample.build("a", np.zeros((5, 1)), np.full((5, 1), 0.3)).task("a")
    assert precision_recall(task) is None
    assert roc(task) is None
    assert reliability(task) is None
    assert threshold_sweep(task) == ()


def test_a_sweep_has_at_each_threshold_what_that_gives() -> None:
    """A score is flagged from it on: each value holds down to the next score, and from 0 to 1."""
    task = Sample.build("a", np.array([[1.0], [0], [1]]), np.array([[0.8], [0.6], [0.2]])).task("a")
    precision, recall, f1 = threshold_sweep(task)
    assert recall.points == ((1, 0), (0.8, 0), (0.8, 0.5), (0.6, 0.5), (0.6, 0.5), (0.2, 0.5), (0.2, 1), (0, 1))
    assert f1.points[:4] == ((1, 0), (0.8, 0), (0.8, 0.6667), (0.6, 0.6667))
    assert precision.points[:2] == ((0.8, 1), (0.6, 1)), "above the highest score nothing is flagged"
    assert precision.points[-1] == (0, 0.6667)


def test_one_post_is_found_at_every_threshold_up_to_its_score() -> None:
    _, recall, _ = threshold_sweep(Sample.build("a", np.ones((1, 1)), np.full((1, 1), 0.99)).task("a"))
    assert recall.points == ((1, 0), (0.99, 0), (0.99, 1), (0, 1))
    _, recall, _ = threshold_sweep(Sample.build("a", np.ones((1, 1)), np.ones((1, 1))).task("a"))
    assert recall.points == ((1, 1), (0, 1))


def test_a_sweep_of_many_scores_is_thinned_without_leaving_its_steps() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((5000, 1)) < 0.3).astype(float)
    task = Sample.build("a", truth, 0.2 * truth + 0.8 * generator.random((5000, 1))).task("a")
    _, recall, _ = threshold_sweep(task)
    assert len(recall.points) <= 2 * POINTS + 2
    thresholds, values = np.array(recall.points[::-1]).T
    for at in (0.05, 0.3, 0.5, 0.9):
        found = (task.scores[task.truth] >= at).mean()
        assert np.interp(at, thresholds, values) == pytest.approx(found, abs=0.005)


def test_posts_of_a_cross_fit_lie_on_the_curves_of_the_scores_before_it() -> None:
    before = Sample.build("a", np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([[0.1], [0.4], [0.2], [0.3]]))
    crossed = replace(before, scores=1 - before.scores, before=before.scores)
    assert roc(crossed.task("a")) == roc(before.task("a"))
    assert precision_recall(crossed.task("a")) == precision_recall(before.task("a"))
    assert threshold_sweep(crossed.task("a")) != threshold_sweep(before.task("a"))


def test_reliability_holds_mean_score_and_observed_share_per_bin() -> None:
    task = Sample.build("a", np.array([[0.0]] * 8 + [[1.0]] * 8), np.array([[0.1]] * 12 + [[0.9]] * 4)).task("a")
    curve = reliability(task)
    assert curve is not None
    assert curve.points == ((0.1, 0.3333), (0.9, 1.0))
    assert curve.sizes == (0.75, 0.25)


def test_confusion_and_worst_errors_point_at_the_right_posts() -> None:
    truth = np.array([[np.nan], [1], [1], [0], [0], [1]], dtype=float)
    task = Sample.build("a", truth, np.array([[0.9], [0.8], [0.2], [0.7], [0.1], [0.3]])).task("a")
    assert Confusion.of(task) == Confusion(true_positives=1, false_negatives=2, false_positives=1, true_negatives=1)
    assert worst(task, 5) == ([3], [2, 5])
