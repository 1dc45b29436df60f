from __future__ import annotations

import numpy as np
import pytest

from crossguard.errors import InputError
from crossguard.evaluation.sample import Sample, pool

NAN = float("nan")


def sample(truth: list[list[float]], scores: list[list[float]], thresholds: float = 0.5) -> Sample:
    return Sample.build("ab"[: len(truth[0])], np.array(truth), np.array(scores), thresholds)


def test_any_takes_the_highest_score_and_the_told_answer() -> None:
    truth = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, NAN], [0.0, 0.0], [NAN, 0.0]])
    told = Sample.build("ab", truth, np.array([[0.2, 0.9]] * 5), 0.5, hateful=np.array([NAN, NAN, NAN, 1.0, 0.0]))
    task = told.task("any")
    assert task.rows.tolist() == [0, 1, 3, 4], "the third post may carry the label that nobody looked at"
    assert task.truth.tolist() == [True, False, True, False]
    assert task.scores.tolist() == [0.9] * 4


def test_any_takes_hateful_and_harmless_posts_alike_where_answers_are_missing() -> None:
    """Were a post known by one yes, but only by every no, most harmless ones would be left out and few hateful ones."""
    random = np.random.default_rng(0)
    carries, missing = random.random((20_000, 3)) < 0.05, random.random((20_000, 3)) < 0.4
    truth = np.where(missing, NAN, carries.astype(np.float64))
    task = Sample.build("abc", truth, random.random(truth.shape)).task("any")
    assert task.truth.mean() == pytest.approx(carries.any(axis=1).mean(), abs=0.01)
    assert not missing[task.rows].any()


def test_any_leaves_out_labels_that_nobody_annotated_unless_the_answer_is_told() -> None:
    """A post that is rightly flagged for such a label would count as a false positive."""
    truth, scores = np.array([[0.0, NAN]] * 2), np.array([[0.2, 0.9]] * 2)
    task = Sample.build("ab", truth, scores, 0.5, hateful=np.array([NAN, 1.0])).task("any")
    assert task.truth.tolist() == [False, True]
    assert task.scores.tolist() == [0.2, 0.9]
    assert task.flags.tolist() == [False, True]


def test_groups_are_numbered_by_their_first_posts_and_kept_by_parts() -> None:
    truth = np.zeros((5, 1))
    found = Sample.build("a", truth, truth, groups=np.array([70, -3, 70, 9, -3]))
    assert found.owners.tolist() == [0, 1, 0, 2, 1]
    assert found.take(np.array([4, 3, 1])).owners.tolist() == [0, 1, 0]
    alone = Sample.build("a", truth, truth)
    assert alone.owners.tolist() == [0, 1, 2, 3, 4]
    assert alone.take(np.array([3, 1])).groups is None


def test_nan_scores_are_refused_with_the_post() -> None:
    with pytest.raises(InputError, match="post '1' has NaN"):
        sample([[1.0], [0.0]], [[0.9], [NAN]])


def test_shapes_and_answers_are_checked() -> None:
    with pytest.raises(InputError, match=r"scores must have the shape \(1, 1\), and has \(2, 1\)"):
        sample([[1.0]], [[0.1], [0.2]])
    with pytest.raises(InputError, match="turn vote fractions into yes and no"):
        sample([[0.3]], [[0.1]])
    with pytest.raises(InputError, match=r"Unknown label 'c'"):
        sample([[1.0]], [[0.1]]).task("c")


def test_a_pooled_task_names_a_post_once_per_label() -> None:
    both = sample([[1.0, 0.0], [NAN, 1.0]], [[0.9, 0.2], [0.3, 0.4]])
    whole = pool(both.tasks())
    assert whole.rows.tolist() == [0, 0, 1]
    assert whole.truth.tolist() == [True, False, True]


def test_posts_are_complete_and_correct_over_the_annotated_labels() -> None:
    both = sample([[1.0, NAN], [0.0, NAN]], [[0.9, 0.9], [0.9, 0.1]])
    assert both.annotated == ("a",)
    assert both.complete().tolist() == [True, True]
    assert both.correct().tolist() == [True, False]
