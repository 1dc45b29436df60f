"""Live recall on feeds whose truth is known, and false-positive rates per group."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossguard.review.quality import model
from crossguard.review.quality.reading import Decided, Sample, Stratum


def test_false_positive_rates_per_group_count_harmless_posts_by_what_they_stand_for() -> None:
    def post(text: str, *, flagged: bool, inclusion: float = 1.0, hateful: bool = False) -> Decided:
        truth, scores = {"religion": float(hateful)}, {"religion": (0.9 if flagged else 0.1, 0.5, flagged)}
        return Decided(text, "review", inclusion, truth, scores, ("tiny", "1", "default", "1"), 1, "text")

    found = [
        *(post("my Muslim neighbours", flagged=True) for _ in range(10)),
        *(post("a Muslim holiday", flagged=False, inclusion=0.1) for _ in range(10)),
        *(post("the Muslim vote", flagged=True, hateful=True) for _ in range(30)),
        *(post("women at work", flagged=False) for _ in range(6)),
        *(post("a Jewish bakery", flagged=True) for _ in range(4)),
    ]
    (muslim, rate), (women, none) = model.false_positive_rates(found, [])
    assert (muslim, women) == ("Muslim", "women"), "the worst first; four posts are too few"
    assert rate.value == pytest.approx(10 / 110)
    assert rate.count == 20
    assert none.value == 0
    for estimate in (rate, none):
        assert estimate.low is not None
        assert estimate.high is not None
        assert 0 <= estimate.low <= (estimate.value or 0) < estimate.high <= 1


def decided(truth: dict[str, float], *, flagged: bool = True) -> Decided:
    scores = {"racist": (0.9 if flagged else 0.1, 0.5, flagged)}
    return Decided("my Muslim friends", "review", 1.0, truth, scores, ("m", "1", "p", "1"), 1, "text")


def naming(flagged: int, allowed: int, others: int, taken: float = 1.0) -> list[Decided]:
    """Decided harmless posts of which some name women; of the allowed ones, that part was taken in."""

    def posts(number: int, text: str, stratum: str, inclusion: float) -> list[Decided]:
        scores = {"racist": (0.9, 0.5, True) if stratum == "review" else (0.1, 0.5, False)}
        return [Decided(text, stratum, inclusion, {"racist": 0.0}, scores, ("m", "1", "p", "1"), 1, "text")] * number

    women, rest = "the women met", "they met"
    far = posts(allowed, women, "allow-far", taken) + posts(others, rest, "allow-far", taken)
    return posts(flagged, women, "review", 1.0) + far


def test_no_rate_of_a_group_rests_on_flagged_posts_alone() -> None:
    """It was 1.000 [0.722, 1.000] where 10 of 70 harmless posts are flagged and 1 % of the allowed ones was checked."""
    review = Stratum("review", posts=10, samples=(Sample(1.0, 10, 0),))
    far = Stratum("allow-far", posts=3000, samples=(Sample(0.01, 30, 0),))
    ((_, rate),) = model.false_positive_rates(naming(10, 0, 30, 0.01), [review, far])
    assert (rate.value, rate.reason, rate.count) == (None, "no harmless allowed post that names it was decided", 10)
    ((_, rate),) = model.false_positive_rates(naming(10, 0, 0), [review, Stratum("allow-far", posts=3000)])
    assert (rate.value, rate.reason) == (None, "nothing is decided in allow-far")
    ((_, rate),) = model.false_positive_rates(naming(0, 6, 24), [Stratum("review", posts=9), far])
    assert rate.reason == "nothing is decided in review"
    ((_, rate),) = model.false_positive_rates(naming(10, 0, 0), [review, far])
    assert rate.reason == "none of the newest decisions is in allow-far"
    undecided = Stratum("failed", posts=500), Stratum("allow-near", posts=20)
    ((_, rate),) = model.false_positive_rates(naming(10, 1, 29, 0.01), [review, far, *undecided])
    assert rate.value == pytest.approx(10 / 110), "what nobody can decide withdraws no rate"


def test_a_group_of_which_all_harmless_posts_are_flagged_is_the_worst_once_every_post_is_decided() -> None:
    muslim = [decided({"racist": 0.0}) for _ in range(10)]
    strata = [
        Stratum("review", posts=20, samples=(Sample(1.0, 20, 0),)),
        Stratum("allow-far", posts=60, samples=(Sample(1.0, 60, 0),)),
    ]
    (first, all_), (second, some) = model.false_positive_rates([*muslim, *naming(10, 30, 30)], strata)
    assert (first, all_.value, second, some.value) == ("Muslim", 1.0, "women", 0.25)
    assert all_.low is not None
    assert all_.low < 1


def test_images_say_that_a_stratum_is_decided() -> None:
    image = replace(decided({"racist": 0.0}, flagged=False), text="", stratum="allow-near")
    strata = [
        Stratum("review", posts=10, samples=(Sample(1.0, 10, 0),)),
        Stratum("allow-far", posts=60, samples=(Sample(1.0, 60, 0),)),
        Stratum("allow-near", posts=20, samples=(Sample(1.0, 1, 0),)),
    ]
    ((_, rate),) = model.false_positive_rates([*naming(10, 30, 30), image], strata)
    assert rate.value == 0.25


def test_groups_whose_rate_is_unknown_come_last() -> None:
    found = [*naming(6, 0, 20, 0.1), *(decided({"racist": 0.0}, flagged=False) for _ in range(6))]
    (muslim, rate), (women, unknown) = model.false_positive_rates(found, [])
    assert (muslim, rate.value, women, unknown.value) == ("Muslim", 0.0, "women", None)


def test_the_rate_of_a_group_has_the_truth_in_its_interval() -> None:
    """200 feeds in which 10 of 160 harmless posts that name women are flagged; of the allowed ones 5 % are seen."""
    random_ = np.random.default_rng(7)
    known = held = 0
    for _ in range(200):
        seen = random_.binomial(3000, 0.05)
        women = random_.hypergeometric(150, 2850, seen)
        strata = [
            Stratum("review", posts=10, samples=(Sample(1.0, 10, 0),)),
            Stratum("allow-far", posts=3000, samples=(Sample(0.05, seen, 0),)),
        ]
        ((_, rate),) = model.false_positive_rates(naming(10, women, seen - women, 0.05), strata)
        if rate.low is not None and rate.high is not None:
            known += 1
            held += rate.low <= 10 / 160 <= rate.high
    assert known >= 190
    assert 0.92 * known <= held


def test_who_is_unsure_agrees_with_no_flag_and_refutes_none() -> None:
    found = [
        *(decided({"racist": mean}) for mean in (1.0, 2 / 3, 0.5, 0.5, 1 / 3)),
        decided({}),
        decided({"sexist": 1}),
    ]
    found.append(decided({"racist": 1.0}, flagged=False))
    (racist,) = model.precision_per_label(found, ["racist"], {})
    assert racist.live.value == pytest.approx(2 / 3)
    assert racist.live.count == 3
    (open_,) = model.precision_per_label([decided({"racist": 0.5})] * 10, ["racist"], {})
    assert (open_.live.value, open_.live.reason) == (None, "nothing flagged was decided")


def test_an_item_on_which_people_are_unsure_is_neither_hateful_nor_harmless() -> None:
    both = ((0.5, 0.0), (0.5, 1.0), (2 / 3, 0.0), (0.0, 1 / 3))
    found = [decided({"racist": racist, "sexist": sexist}) for racist, sexist in both] + [decided({})]
    assert [item.hateful for item in found] == [False, True, True, False, False]
    assert [item.harmless for item in found] == [False, False, False, True, True]
    assert model.false_positive_rates([decided({"racist": 0.5})] * 10, []) == []


def test_a_reported_precision_stands_beside_flags_of_the_same_threshold_only() -> None:
    found = [decided({"racist": 1.0}), decided({"racist": 0.0}), decided({"racist": 1.0}, flagged=False)]
    same, other = model.Reported(0.75, 0.50004), model.Reported(0.75, 0.31)
    assert [one.reported for one in model.precision_per_label(found, ["racist"], {"racist": same})] == [0.75]
    for said, items in ((other, found), (same, []), (same, [*found, moved({"racist": 1.0}, 0.7)])):
        assert [one.reported for one in model.precision_per_label(items, ["racist"], {"racist": said})] == [None]


def moved(truth: dict[str, float], threshold: float) -> Decided:
    return replace(decided(truth), scores={"racist": (0.9, threshold, True)})


def test_the_report_is_asked_for_the_precision_of_each_label_and_its_threshold(tmp_path: Path) -> None:
    assert model.reported_precision(str(tmp_path), ("racist",)) == {}
    report = {
        "racist": {"precision": 0.75, "recall": 0.5, "threshold": 0.4},
        "sexist": {"precision": None, "threshold": 0.4},
        "homophobe": {"precision": 0.5, "threshold": None},
        "micro avg": {"precision": 0.6},
    }
    (tmp_path / "val_report.json").write_text(json.dumps(report))
    labels = ("racist", "sexist", "homophobe", "religion")
    assert model.reported_precision(str(tmp_path), labels) == {"racist": model.Reported(0.75, 0.4)}
    assert model.reported_precision("no such model", ("racist",)) == {}


def test_the_recall_estimate_holds_the_truth_in_its_interval() -> None:
    """200 feeds with known recall: the interval holds it about 95 times of 100."""
    random_ = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        flagged, far = random_.binomial(400, 0.6), random_.binomial(10_000, 0.01)
        sampled = random_.hypergeometric(far, 10_000 - far, 500)
        held += holds(flagged, far, 10_000, Sample(1.0, 500, sampled))
    assert 180 <= held <= 200


def test_recall_is_right_though_the_audit_took_more_posts_at_another_time() -> None:
    """First every post was taken, of a part of the feed with much hate, and then a fiftieth."""
    random_ = np.random.default_rng(6)
    held = 0
    for _ in range(200):
        flagged, first, later = random_.binomial(400, 0.6), random_.binomial(400, 0.2), random_.binomial(10_000, 0.01)
        number = random_.binomial(10_000, 0.02)
        samples = Sample(0.02, number, random_.hypergeometric(later, 10_000 - later, number)), Sample(1.0, 400, first)
        held += holds(flagged, first + later, 10_400, *samples)
    assert 180 <= held <= 200


def holds(flagged: int, allowed: int, posts: int, *samples: Sample) -> bool:
    """Whether the interval of recall has the truth, of so many hateful posts that were flagged and allowed."""
    strata = [
        Stratum("review", posts=400, samples=(Sample(1.0, 400, flagged),)),
        Stratum("allow-far", posts=posts, samples=samples),
    ]
    found = model.live(strata).recall
    assert found.low is not None
    assert found.high is not None
    return found.low <= flagged / (flagged + allowed) <= found.high


def test_a_changed_rate_of_the_audit_widens_no_interval_by_itself() -> None:
    """A stratum has one prior, however many rates its samples were taken with."""
    flagged = Stratum("review", posts=400, samples=(Sample(1.0, 400, 200),))
    parts = tuple(Sample(0.05 + 1e-9 * number, 50, 1) for number in range(10))
    one, ten = (
        model.live([flagged, Stratum("allow-far", posts=10_000, samples=samples)]).recall
        for samples in ((Sample(0.05, 500, 10),), parts)
    )
    assert [ten.value, ten.low, ten.high] == pytest.approx([one.value, one.low, one.high], abs=0.01)


def test_figures_are_unknown_while_nothing_is_decided_in_most_of_what_they_are_about() -> None:
    """Recall was that of 42 of 1,000 posts."""
    review = Stratum("review", posts=12, samples=(Sample(1.0, 12, 10),))
    near = Stratum("allow-near", posts=30, samples=(Sample(0.1, 3, 1),))
    failed, far = Stratum("failed", posts=0), Stratum("allow-far", posts=958)
    found = model.live([review, failed, far, near])
    for estimate in (found.recall, found.prevalence):
        assert (estimate.value, estimate.reason) == (None, "nothing is decided in allow-far")
    assert found.precision.count == 12, "it rests on flagged posts alone"
    assert found.precision.value == pytest.approx(10 / 12)
    found = model.live([review, Stratum("block", posts=9), near])
    assert (found.precision.value, found.precision.reason) == (None, "nothing is decided in block")
    assert found.recall.value == pytest.approx(10 / 20)
    found = model.live([Stratum("review", posts=1), Stratum("allow-far", posts=1)])
    assert [found.precision.reason, found.recall.reason] == [f"nothing is decided in {n}" for n in found.missing]


def test_what_nobody_can_decide_withdraws_no_figure() -> None:
    """One post whose author was erased, or that could not be scored, withdrew them for good."""
    review = Stratum("review", posts=200, samples=(Sample(1.0, 200, 160),))
    far = Stratum("allow-far", posts=1000, samples=(Sample(0.1, 100, 1),))
    undecided = (Stratum("failed", posts=300), Stratum("block", posts=1))
    found = model.live([review, far, *undecided, Stratum("allow-near", posts=9)])
    assert None not in {found.precision.value, found.recall.value, found.prevalence.value}
    assert found.missing == ["failed", "block", "allow-near"]


def test_recall_is_unknown_where_no_post_is_hateful_and_precision_where_none_is_flagged() -> None:
    review = Stratum("review", posts=12, samples=(Sample(1.0, 12, 0),))
    far = Stratum("allow-far", posts=100, samples=(Sample(0.5, 50, 0),))
    found = model.live([review, far])
    assert (found.recall.value, found.recall.reason) == (None, "no hateful post was decided")
    assert (found.precision.value, found.prevalence.value) == (0.0, 0.0)
    assert (found.precision.count, found.prevalence.count) == (12, 62)
    assert model.live([far]).precision.reason == "no flagged post was decided"


def test_recall_is_unknown_while_nothing_allowed_was_checked() -> None:
    found = model.live(
        [
            Stratum("review", posts=400, samples=(Sample(1.0, 400, 200),)),
            Stratum("allow-far", posts=10_000),
        ]
    )
    assert found.recall.value is None
    assert found.recall.reason == "nothing is decided in allow-far"
    assert found.precision.value == 0.5
    assert found.missing == ["allow-far"]
    assert model.live(found.strata[:1]).recall.reason == "no allowed post was decided"
