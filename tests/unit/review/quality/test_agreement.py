"""Agreement, against published examples and scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable

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


def one_each(pairs: Iterable[tuple[bool, bool]]) -> dict[int, list[tuple[bool, bool]]]:
    """An item of its own for each of these pairs."""
    return {item: [pair] for item, pair in enumerate(pairs)}


def test_cohens_kappa_is_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(4)
    first = chance.random(300) < 0.3
    second = np.where(chance.random(300) < 0.8, first, ~first)
    found = agreement.cohen_kappa([one_each(zip(first.tolist(), second.tolist(), strict=True))])
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high
    alike, none = agreement.cohen_kappa([one_each([(True, True)] * 9)]), agreement.cohen_kappa([])
    assert (alike.value, alike.reason, none.value, none.reason) == (None, "all answers alike", None, "")
    same = agreement.agreement({item: {1: True, 2: True} for item in range(9)})
    assert (same.alpha.reason, same.fleiss.reason, same.observed.value) == ("all answers alike",) * 2 + (1.0,)


def test_who_says_yes_as_often_as_a_label_has_it_and_reads_nothing_agrees_by_chance() -> None:
    """One table of all labels gave 0.45, as most say no to the rare ones and yes to the frequent one."""
    chance = np.random.default_rng(5)
    labels = [
        one_each(zip((chance.random(2000) < part).tolist(), (chance.random(2000) < part).tolist(), strict=True))
        for part in (0.6, 0.02, 0.02, 0.02, 0.02)
    ]
    found = agreement.cohen_kappa(labels)
    assert found.value == pytest.approx(0, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.count == 2000, "items, not answers"


def test_kappa_over_labels_sums_disagreements_and_those_of_chance() -> None:
    first = one_each([(True, True), (True, False), (False, False), (False, False)])
    second = {0: [(True, True)], 1: [(False, False)], 7: [(False, True), (True, True)]}
    # One of four, and half of these by chance; one of four, and by chance again half: 1 - (1 + 1) / (2 + 2).
    assert agreement.cohen_kappa([first, second]).value == pytest.approx(1 - 2 / 4)
    alike = one_each([(False, False)] * 9)
    assert agreement.cohen_kappa([first, alike]).value == agreement.cohen_kappa([first]).value


def test_several_answers_about_an_item_count_as_one_observation() -> None:
    chance = np.random.default_rng(6)
    pairs = [(bool(first), bool(first ^ (chance.random() < 0.2))) for first in chance.random(60) < 0.5]
    one, five = agreement.cohen_kappa([one_each(pairs)]), agreement.cohen_kappa([one_each(pairs)] * 5)
    assert one.value == pytest.approx(five.value)
    widths = [found.high - found.low for found in (one, five) if found.low is not None and found.high is not None]
    assert widths[1] == pytest.approx(widths[0], rel=0.2), "five labels that always go together tell what one tells"


def test_full_agreement_on_a_few_items_is_not_certain() -> None:
    """It was 1.00 to 1.00 after five items, as no resample of them has a disagreement."""
    same = agreement.agreement({item: dict.fromkeys((1, 2), item < 2) for item in range(5)})
    kappa = agreement.cohen_kappa([one_each([(True, True)] * 2 + [(False, False)] * 3)])
    for found in (same.alpha, same.fleiss, same.observed, kappa):
        assert found.value == found.high == 1
        assert found.low is not None
        assert found.low < 0.75


def test_the_interval_of_alpha_has_the_truth_after_a_few_items() -> None:
    """Two people who each err on a tenth of ten items: alpha is 0.60; 82 of 100 intervals held it."""
    chance = np.random.default_rng(8)
    held = 0
    for _ in range(200):
        truth = chance.random(10) < 0.3
        one, two = (truth ^ (chance.random(10) < 0.1) for _ in range(2))
        found = agreement.agreement({item: {1: bool(one[item]), 2: bool(two[item])} for item in range(10)}).alpha
        held += found.low is None or found.high is None or found.low <= 0.6 <= found.high
    assert held >= 184


def test_each_answer_is_paired_with_those_of_others_on_the_same_item() -> None:
    pairs = agreement.pairs_with_others({1: {7: True, 8: False, 9: True}, 2: {7: True}, 3: {7: False, 8: False}})
    assert pairs == {
        7: {1: [(True, False), (True, True)], 3: [(False, False)]},
        8: {1: [(False, True), (False, True)], 3: [(False, False)]},
        9: {1: [(True, True), (True, False)]},
    }
