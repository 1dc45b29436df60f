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
    assert area == pytest.approx(average_precision_score(task.truth, task.scores), abs=0.01)


def test_a_curve_that_cannot_be_drawn_is_none() -> None:
    task = Sample.build("a", np.zeros((5, 1)), np.full((5, 1), 0.3)).task("a")
    assert precision_recall(task) is None
    assert roc(task) is None
    assert reliability(task) is None
    assert threshold_sweep(task) == ()


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
