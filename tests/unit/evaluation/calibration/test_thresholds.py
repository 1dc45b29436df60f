from __future__ import annotations

import numpy as np
import pytest

from crossguard.errors import InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.thresholds import between, block_limit, fit_threshold, review_limit


def test_a_goal_without_positives_is_refused() -> None:
    with pytest.raises(InputError, match="needs a positive post"):
        fit_threshold(Criterion("f1"), np.array([False]), np.array([0.3]))


def test_the_threshold_lies_midway_between_neighbours() -> None:
    assert fit_threshold(Criterion("f1"), np.array([True, False]), np.array([0.8, 0.4])) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.4, 0.8, 0.6), (0.12341, 0.12349, 0.12345), (0.123, 0.128, 0.126), (0.0, 1e-9, 5e-10), (0.0, 5e-324, 5e-324)],
)
def test_the_point_between_two_scores_is_short_and_inside(low: float, high: float, expected: float) -> None:
    assert between(low, high) == pytest.approx(expected)
    assert low < between(low, high) <= high


def test_a_threshold_written_with_its_digits_still_finds_what_it_was_fitted_for() -> None:
    # Rounded to four digits, the score of the only positive would lie below its own threshold.
    scores, truth = np.array([0.69004, 0.69001, 0.2]), np.array([True, False, False])
    found = fit_threshold(Criterion("f1"), truth, scores)
    assert 0.69001 < found < 0.69004
    assert float(f"{found:.6g}") == found


def test_fresh_posts_are_missed_and_blocked_at_most_at_the_promised_rate() -> None:
    generator, missed, blocked = np.random.default_rng(0), [], []
    for _ in range(2000):
        posts = generator.normal(size=60)
        fresh = generator.normal(size=20)
        missed.append((fresh < review_limit(posts, 0.1)).mean())
        blocked.append((fresh > block_limit(posts, 0.05)).mean())
    # On average over calibration sets: at most the rate, and no lower than rate - 1 / (n + 1).
    assert 0.1 - 1 / 61 - 0.01 < np.mean(missed) <= 0.1 + 0.005
    assert 0.05 - 1 / 61 - 0.01 < np.mean(blocked) <= 0.05 + 0.005


def test_too_few_posts_to_promise_are_refused_with_the_number_needed() -> None:
    with pytest.raises(InputError, match="needs 9 different hateful posts, and there are 8"):
        review_limit(np.arange(8.0), 0.1)
    assert review_limit(np.arange(9.0), 0.1) == 0.0


def test_the_block_limit_of_few_posts_is_their_highest() -> None:
    assert block_limit(np.arange(9.0), 0.1) == 8.0
