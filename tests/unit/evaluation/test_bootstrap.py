from __future__ import annotations

import numpy as np
import pytest
from tests.support.estimates import width

from crossguard.evaluation.bootstrap import bootstrap, bootstrap_counts, draw, worth
from crossguard.evaluation.metrics import Rounds


def test_a_mean_has_the_interval_that_theory_gives() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = bootstrap(lambda rows: float(values[rows].mean()), 400)
    assert found.value == pytest.approx(values.mean())
    assert found.count == 400
    assert width(found) == pytest.approx(2 * 1.96 / 20, rel=0.2)


def test_counted_rows_give_the_same_as_rows_one_by_one() -> None:
    answers = np.array([True] * 30 + [False] * 70)
    single = bootstrap(lambda rows: float(answers[rows].mean()), 100)

    def share(drawn: Rounds) -> Rounds:
        return np.asarray(drawn[:, 1] / drawn.sum(axis=1))

    counted = bootstrap_counts(share, np.array([70, 30]), np.zeros(2))
    assert (counted.value, counted.count) == (single.value, 100)
    assert counted.low == pytest.approx(single.low, abs=0.04)
    assert counted.high == pytest.approx(single.high, abs=0.04)


def test_posts_of_one_group_are_drawn_together() -> None:
    owners = np.array([0, 1, 0, 2, 1, 0])
    counts = np.concatenate([*draw(owners, 40, seed=0)])
    assert counts.shape == (40, 6)
    assert (counts[:, [0, 0, 1]] == counts[:, [2, 5, 4]]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert len(np.unique(counts, axis=0)) > 5


def test_what_is_mostly_undefined_has_no_interval_and_nothing_no_value() -> None:
    found = bootstrap(lambda rows: 1.0 if rows[0] == 0 else float("nan"), 20)
    assert (found.value, found.low) == (1.0, None)
    assert bootstrap(lambda _: 1.0, 0).value is None
    assert bootstrap_counts(lambda drawn: drawn[:, 0], np.array([0, 0]), np.ones(2)).value is None


def test_a_kind_that_has_not_come_yet_may_come() -> None:
    found = bootstrap_counts(lambda drawn: drawn[:, 0] / drawn.sum(axis=1), np.array([10, 0]), np.full(2, 0.5))
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.78, abs=0.05), "as by Jeffreys"


def test_copies_add_to_what_posts_tell_only_as_far_as_they_are_spread() -> None:
    assert worth(np.array([7, 3, 5])) == 3
    assert worth(np.repeat([4, 9], 50)) == 2
    assert worth(np.array([0] * 9 + [1])) == pytest.approx(100 / 82)
    assert worth(np.empty(0, dtype=np.int64)) == 0
