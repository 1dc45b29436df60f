from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from tests.support.estimates import defined, width

from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.evasion import EVASIONS
from crossguard.evaluation.audit.robustness import EvasionTest, measure_robustness, summarise
from crossguard.moderator import Moderator
from crossguard.records import Action, Decision, LabelDecision, Post

LABELS = ("rude",)


class Reader:
    """Flags posts that hold a word exactly as it is written."""

    def score(self, posts: Sequence[Post]) -> list[Decision]:
        return [self._decide(post) for post in posts]

    def _decide(self, post: Post) -> Decision:
        flagged = "awful" in f"{post.text} {post.image_text}"
        label = LabelDecision(float(flagged), 0.5, flagged, Action.REVIEW if flagged else Action.ALLOW)
        return Decision(post.id, {"rude": label}, label.action, 1.0, "reader", "1", "default", "1")


def annotated(texts: Sequence[str], hateful: Sequence[float]) -> Annotated:
    posts = tuple(Post(str(row), text) for row, text in enumerate(texts))
    known = np.full((len(posts), 1), np.nan)
    return Annotated("posts.csv", posts, LABELS, known, np.array(hateful), {})


def test_a_reader_of_exact_words_keeps_what_padding_leaves_alone() -> None:
    posts = annotated(["you are awful people", "bad people", "good morning", ""], [1, 1, 0, 0])
    found = measure_robustness(cast("Moderator", Reader()), posts, EvasionTest(rounds=20))
    assert (found.hateful, found.found, found.harmless, found.harmless_flagged) == (2, 1, 1, 0)
    assert found.ways["words_before"].kept.value == 1.0
    assert found.ways["letters_doubled"].kept.value == 0.0
    assert found.worst_tenth.reason == "worst ways are chosen on other posts, and there are none"
    kept = [way.kept.value for way in found.ways.values()]
    assert found.mean.value == pytest.approx(np.mean(np.array(kept, dtype=float)))


def test_counts_of_each_kind_come_from_the_same_posts() -> None:
    truth = np.array([True, True, True, True, False, False])
    plain = np.array([True, True, True, False, True, False])
    flags = {name: plain.copy() for name in EVASIONS}
    flags["dots"] = np.array([True, False, False, True, False, True])
    found = summarise("x", truth, plain, flags, EvasionTest(rounds=50), groups=np.arange(6))
    dots = found.ways["dots"]
    assert dots.kept.value == pytest.approx(1 / 3)
    assert (dots.newly_flagged, dots.no_longer_flagged) == (1, 1)
    assert found.harmless_change.value == 0.0
    least = math.ceil(len(EVASIONS) / 10)
    assert found.worst_tenth.value == pytest.approx((least - 1 + 1 / 3) / least)
    for mean in (found.mean, found.worst_tenth, found.held_out):
        low, value, high = defined(mean)
        assert low <= value <= high


def test_few_posts_that_are_alike_say_little_of_others() -> None:
    """Three posts of which each is found in nine ways of ten, and harmless ones of which none becomes flagged."""
    truth = np.arange(8) < 3
    lost = [name for place, name in enumerate(EVASIONS) if place % 10 == 0]
    flags = {name: truth & (name not in lost) for name in EVASIONS}
    found = summarise("x", truth, truth, flags, EvasionTest(rounds=300), groups=np.arange(8))
    for mean, least in (
        (found.mean, 0.2),
        (found.worst_tenth, 0.2),
        (found.held_out, 0.2),
        (found.harmless_change, 0.1),
    ):
        low, value, high = defined(mean)
        assert low <= value <= high
        assert high - low > least
    assert defined(found.mean).low > 0.3
    assert summarise("x", truth, truth, flags, EvasionTest(rounds=0), groups=np.arange(8)).mean.low is None


def test_worst_ways_are_not_chosen_by_the_posts_that_they_are_tried_on() -> None:
    """Of ways that all keep three quarters, the tenth that keeps least of some posts keeps no less of others."""
    random, worst, covered = np.random.default_rng(0), list[float](), list[bool]()
    for seed in range(20):
        truth = np.ones(40, dtype=np.bool_)
        flags = {name: random.random(40) < 0.75 for name in EVASIONS}
        found = summarise("x", truth, truth, flags, EvasionTest(rounds=200, seed=seed), groups=np.arange(40))
        estimate = found.worst_tenth
        worst.append(estimate.value or 0.0)
        covered.append((estimate.low or 0.0) <= 0.75 <= (estimate.high or 0.0))
    assert np.mean(worst) == pytest.approx(0.75, abs=0.03)
    assert np.mean(covered) > 0.7
    lost = set(list(EVASIONS)[:10])
    flags = {name: truth & (name not in lost) for name in EVASIONS}
    assert summarise("x", truth, truth, flags, EvasionTest(), groups=np.arange(40)).worst_tenth.value == 0.0


def test_copies_of_a_post_choose_no_way_to_be_tried_on_a_copy() -> None:
    random, own = np.random.default_rng(0), np.arange(40).repeat(5)
    flags = {name: (random.random(40) < 0.75)[own] for name in EVASIONS}
    truth = np.ones(200, dtype=np.bool_)
    known, unknown = (
        summarise("x", truth, truth, flags, EvasionTest(rounds=0), groups=groups).worst_tenth.value
        for groups in (own, np.arange(200))
    )
    assert known == pytest.approx(0.75, abs=0.05)
    assert unknown is not None
    assert unknown < 0.68


def test_copies_of_a_post_say_no_more_of_others_than_one() -> None:
    """Half of ten hateful posts are found in every way, and one harmless post in ten becomes flagged."""
    truth, odd = np.arange(20) < 10, np.arange(20) % 2 == 0
    kept = (truth & odd) | (np.arange(20) == 19)
    own = np.arange(20).repeat(9)
    once = summarise("x", truth, truth, dict.fromkeys(EVASIONS, kept), EvasionTest(rounds=300), groups=np.arange(20))
    flags = dict.fromkeys(EVASIONS, kept[own])
    many, unknown = (
        summarise("x", truth[own], truth[own], flags, EvasionTest(rounds=300), groups=groups)
        for groups in (own, np.arange(180))
    )
    for one, same, narrow in (
        (once.mean, many.mean, unknown.mean),
        (once.ways["dots"].kept, many.ways["dots"].kept, unknown.ways["dots"].kept),
        (once.harmless_change, many.harmless_change, unknown.harmless_change),
    ):
        assert (same.value, same.low, same.high) == pytest.approx((one.value, one.low, one.high), abs=0.02)
        assert width(narrow) < 0.6 * width(same)


def test_the_groups_of_annotated_posts_are_kept() -> None:
    texts = [f"awful people {number}" for number in range(12)]
    posts = replace(annotated(texts, [1] * 12), groups=np.arange(12) // 4)
    found = measure_robustness(cast("Moderator", Reader()), posts, EvasionTest(rounds=5))
    kept = found.ways["words_before"].kept
    assert (kept.value, kept.low) == pytest.approx((1, 3 / (3 + 1.96**2)), abs=1e-3), "as of three posts"


def test_nothing_found_is_undefined_and_not_zero() -> None:
    posts = annotated(["bad people", "good morning"], [1, 0])
    found = measure_robustness(cast("Moderator", Reader()), posts, EvasionTest(rounds=5))
    assert found.mean.value is None
    assert found.mean.reason == "nothing was found as written"
    assert found.harmless_change.value == 0.0


def test_posts_without_words_cannot_be_disguised() -> None:
    with pytest.raises(InputError, match="no hateful post with words"):
        measure_robustness(cast("Moderator", Reader()), annotated(["", "good"], [1, 0]), EvasionTest())
    with pytest.raises(InputError, match=r"'posts.csv' has no hateful post with words \(question 'rude'\)"):
        measure_robustness(cast("Moderator", Reader()), annotated(["bad", "good"], [1, 0]), EvasionTest("rude"))
