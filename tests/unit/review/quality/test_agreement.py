"""Agreement, against published examples and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from crossguard.review.quality import agreement


def test_fleiss_and_alpha_agree_with_published_examples() -> None:
    # J. L. Fleiss, "Measuring nominal scale agreement among many raters" (1971), as in every textbook: kappa 0.210.
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert agreement.fleiss_kappa(np.array(table), np.ones((1, 10)))[0] == pytest.approx(0.210, abs=0.0005)
    # K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: binary, two observers, 0.095.
    pairs = [(0, 1), (1, 1), (0, 1), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (1, 0), (0, 0)]
    counts = np.array([[2 - a - b, a + b] for a, b in pairs])
    assert agreement.krippendorff_alpha(counts, np.ones((1, 10)))[0] == pytest.approx(0.095, abs=0.0005)


def test_agreement_of_people_who_agree_is_one_and_of_dice_is_none() -> None:
    chance = np.random.default_rng(3)
    same = {item: dict.fromkeys((1, 2), item % 2 == 0) for item in range(60)}
    dice = {item: {1: bool(chance.random() < 0.5), 2: bool(chance.random() < 0.5)} for item in range(400)}
    assert agreement.agreement(same).alpha.value == pytest.approx(1.0)
    found = agreement.agreement(dice).fleiss
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert agreement.agreement({}).alpha.value is None


def test_cohens_kappa_is_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(4)
    first = chance.random(300) < 0.3
    second = np.where(chance.random(300) < 0.8, first, ~first)
    found = agreement.cohen_kappa(zip(first.tolist(), second.tolist(), strict=True))
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high
    alike, none = agreement.cohen_kappa([(True, True)] * 9), agreement.cohen_kappa([])
    assert (alike.value, alike.reason, none.value, none.reason) == (None, "all answers alike", None, "")
    same = agreement.agreement({item: {1: True, 2: True} for item in range(9)})
    assert (same.alpha.reason, same.fleiss.reason, same.observed.value) == ("all answers alike",) * 2 + (1.0,)


def test_each_answer_is_paired_with_those_of_others_on_the_same_item() -> None:
    pairs = agreement.pairs_with_others({1: {7: True, 8: False, 9: True}, 2: {7: True}})
    assert pairs == {
        7: [(True, False), (True, True)],
        8: [(False, True), (False, True)],
        9: [(True, True), (True, False)],
    }
