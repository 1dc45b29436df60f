"""What a decided item stands for, and shares of the feed whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from crossguard.review.quality import weighing
from crossguard.review.quality.reading import Decided, Sample, Stratum


def test_items_stand_for_their_stratum_however_far_its_queue_is_worked_off() -> None:
    def post(stratum: str) -> Decided:
        return Decided("", stratum, 0.05 if stratum == "allow-far" else 1.0, {}, {}, ("m", "1", "p", "1"), 1, "text")

    found = [post("review")] * 40 + [post("allow-far")] * 185
    strata = [
        Stratum("review", posts=400, samples=(Sample(1.0, 40, 20),)),
        Stratum("allow-far", posts=4000, samples=(Sample(1.0, 185, 0),)),
    ]
    weights = weighing.weights_of(found, strata)
    assert (weights[0], weights[-1]) == (10, pytest.approx(4000 / 185))


def weights(posts: int, *inclusions: float) -> list[float]:
    """What items of a stratum stand for that were taken with these probabilities."""
    found = [Decided("", "allow-far", each, {}, {}, ("m", "1", "p", "1"), 1, "text") for each in inclusions]
    return list(weighing.weights_of(found, [Stratum("allow-far", posts=posts)]))


def test_items_stand_for_the_more_posts_the_less_likely_they_were_taken() -> None:
    """As where everything was taken for a first measurement, and then a hundredth."""
    assert weights(1010, *[1.0] * 10, *[0.01] * 10) == pytest.approx([1] * 10 + [100] * 10)
    assert weights(2020, *[1.0] * 10, *[0.01] * 10) == pytest.approx([2] * 10 + [200] * 10), "half is decided"
    assert weights(510, *[1.0] * 10, *[0.01] * 10) == pytest.approx([1] * 10 + [50] * 10), "none for less than itself"
    assert weights(600, 0.1, 0.2, 0.3) == pytest.approx([600 * part / 11 for part in (6, 3, 2)])
    assert weights(2, 0.5, 0.5, 1.0) == [1, 1, 1], "one that was edited is two items"
    assert weights(0, 0.5, 1.0) == [2, 1], "where the feed was not counted"


def sampled(*samples: tuple[str, float, int]) -> list[Decided]:
    """Items of these strata, taken with this probability, so many of each."""
    model = ("m", "1", "p", "1")
    return [
        Decided("", stratum, inclusion, {}, {}, model, 1, "text")
        for stratum, inclusion, number in samples
        for _ in range(number)
    ]


def test_shares_of_the_feed_are_those_of_weighted_items() -> None:
    items = sampled(("review", 1.0, 10), ("allow-far", 0.1, 10))
    flagged = np.arange(20) < 10
    found = np.isin(np.arange(20), [0, 1, 2, 3, 10])
    table = weighing.tables(items, np.where(flagged, 1.0, 10.0), flagged, found)
    assert table[0].tolist() == [[90, 10], [6, 4]]
    recall, precision = weighing.flagged_part(table, 20), weighing.found_part(table, 20)
    assert (precision.value, recall.count) == (0.4, 20)
    assert recall.value == pytest.approx(4 / 14)
    for part in (recall, precision):
        assert part.low is not None
        assert part.high is not None
        assert 0 < part.low < (part.value or 0) < part.high < 1


def test_what_was_not_found_in_a_sample_may_still_be_there() -> None:
    """None of 23 checked posts: of 2,940 allowed ones, a tenth may be hateful."""
    items = sampled(("review", 1.0, 60), ("allow-far", 0.01, 23))
    flagged, found = np.arange(83) < 60, np.arange(83) < 40
    table = weighing.tables(items, np.where(flagged, 1.0, 2940 / 23), flagged, found)
    recall = weighing.flagged_part(table, 83)
    assert recall.value == recall.high == 1
    assert recall.low == pytest.approx(0.12, abs=0.03)
    assert table[:, 1].min() > 0
    assert weighing.found_part(weighing.tables(items, np.ones(83), found & ~found, found), 83).value is None


def test_a_sample_that_was_taken_at_several_rates_has_one_prior() -> None:
    one, ten = (
        weighing.flagged_part(weighing.tables(items, np.full(510, 20.0), flagged, flagged), 510)
        for flagged in [np.arange(510) < 10]
        for items in (
            sampled(("review", 1.0, 10), ("allow-far", 0.05, 500)),
            sampled(("review", 1.0, 10), *(("allow-far", 0.05 + 1e-9 * number, 50) for number in range(10))),
        )
    )
    assert [ten.value, ten.low, ten.high] == pytest.approx([one.value, one.low, one.high], abs=0.01)
