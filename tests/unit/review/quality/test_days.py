"""What a day of the quality page shows, on feeds whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import update
from tests.support.review import submission
from tests.unit.review.conftest import NOW, cast, copy_golden, take

from crossguard.evaluation.estimates import Estimate
from crossguard.review.console import Console
from crossguard.review.quality import days
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import DAY, items


def mean_score(database: Database) -> Estimate:
    with database.read() as db:
        found: Estimate = days.per_day(db, NOW)["score"][-1][1]
    return found


def test_a_day_shows_what_came_was_decided_and_was_flagged(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission("1", score=0.95), submission("2", score=0.1)], NOW - DAY)
    console.intake.take([submission("3", score=0.6)], NOW)
    assert take(database, ann) == 1
    cast(database, 1, ann)
    with database.read() as db:
        found = days.per_day(db, NOW)
    came, decided, flagged = ([value for _, value in found[name][-2:]] for name in ("came", "decided", "flagged"))
    assert (came, decided) == ([1, 1], [0, 1])
    assert [(share.value, share.count) for share in flagged] == [(0.5, 2), (1.0, 1)]


def test_a_copy_as_a_golden_item_did_not_come_in(console: Console, database: Database) -> None:
    console.intake.take([submission("1")], NOW)
    with database.write() as tx:
        copy_golden(tx, 1)
    with database.read() as db:
        assert days.per_day(db, NOW)["came"][-1][1] == 1


def test_votes_on_golden_items_and_the_demo_are_no_decisions_about_posts(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1"), submission("2", source="demo")], NOW)
    console.intake.take([submission("3")], NOW)
    with database.write() as tx:
        golden = copy_golden(tx, 3, claimed_by=ann.id, claimed_at=NOW)
    for item in (1, 2, golden):
        cast(database, item, ann)
    with database.read() as db:
        assert days.per_day(db, NOW)["decided"][-1][1] == 1


def test_a_day_without_a_post_has_no_mean(database: Database) -> None:
    assert mean_score(database) == Estimate.undefined("no posts")


def test_the_mean_of_a_feed_that_was_taken_in_whole_is_certain(everything: ReviewSettings, database: Database) -> None:
    scores = (0.1, 0.3, 0.6, 0.95)
    Console(everything, database).intake.take([submission(str(i), score=s) for i, s in enumerate(scores)], NOW)
    found = mean_score(database)
    assert [found.value, found.low, found.high] == pytest.approx([np.mean(scores)] * 3)


def test_a_sample_stands_for_the_posts_of_its_stratum_that_came(console: Console, database: Database) -> None:
    """And not for as many as the inverse of its inclusion says, of which fewer may have come that day."""
    console.intake.take([submission(str(number), score=0.9 if number < 3 else 0.1) for number in range(5)], NOW)
    assert mean_score(database) == Estimate.undefined("nothing was taken in from allow-far")
    sampled = {"stratum": "allow-far", "inclusion": 0.01, "score": 0.1}
    with database.write() as tx:
        tx.execute(update(items).where(items.c.external == "2").values(**sampled))
    found = mean_score(database)
    assert found.value == pytest.approx((3 * 0.9 + 2 * 0.1) / 5)
    assert found.count == 3
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5, "one post tells little of two"
    assert found.high > 0.65


def test_a_stratum_of_one_post_in_a_hundred_needs_no_sample(console: Console, database: Database) -> None:
    console.intake.take([submission(str(number), score=0.1 if number == 0 else 0.7) for number in range(100)], NOW)
    assert mean_score(database).value == pytest.approx(0.7)
    console.intake.take([submission("100", score=0.1)], NOW)
    assert mean_score(database).reason == "nothing was taken in from allow-far"


def test_intervals_of_small_samples_hold_the_mean_of_the_feed(settings: ReviewSettings, database: Database) -> None:
    """Of scores as models give them: most near zero, some far from it."""
    scores = np.random.default_rng(0).beta(0.3, 3, (days.DAYS, 60))
    console = Console(settings.model_copy(update={"audit_rate": 0.1, "audit_rate_near": 1.0}), database)
    for day, of_day in enumerate(scores):
        posts = [submission(f"{day}-{place}", score=float(score)) for place, score in enumerate(of_day)]
        console.intake.take(posts, NOW - DAY * (days.DAYS - 1 - day))
    with database.read() as db:
        found = [score for _, score in days.per_day(db, NOW)["score"]]
    means = [(score.low, of_day.mean(), score.high) for score, of_day in zip(found, scores, strict=True) if score.low]
    assert len(means) > days.DAYS // 2
    assert [mean for low, mean, high in means if not low < mean < high] == []


def test_the_demo_is_in_no_day_of_the_feed(console: Console, database: Database) -> None:
    console.intake.take([submission(str(n), score=0.95, source="demo") for n in range(5)], NOW)
    console.intake.take([submission("7", score=0.55)], NOW)
    with database.read() as db:
        found = days.per_day(db, NOW)
    (_, came), (_, flagged), (_, score) = (found[name][-1] for name in ("came", "flagged", "score"))
    assert (came, flagged, score.count) == (1, Estimate.share(1, 1), 1)
    assert score.value == pytest.approx(0.55)
