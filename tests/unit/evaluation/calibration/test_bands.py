from __future__ import annotations

import numpy as np
import pytest

from crossguard.errors import InputError
from crossguard.evaluation.calibration.thresholds import block_limit, review_limit


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
    with pytest.raises(InputError, match="needs 9 hateful posts, and there are 8"):
        review_limit(np.arange(8.0), 0.1)
    assert review_limit(np.arange(9.0), 0.1) == 0.0


def test_the_block_limit_of_few_posts_is_their_highest() -> None:
    assert block_limit(np.arange(9.0), 0.1) == 8.0
