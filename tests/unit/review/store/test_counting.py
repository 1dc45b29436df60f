"""The feed's numbers, on posts that come once, again, edited, and under another policy."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import func, select, update
from tests.support.review import decision, submission
from tests.unit.review.conftest import NOW, row

from crossguard.review.console import Console
from crossguard.review.intake import Intake
from crossguard.review.quality import model, reading
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import retention
from crossguard.review.store.counting import REMEMBERED, FeedPost, count_feed
from crossguard.review.store.database import Database
from crossguard.review.store.schema import DAY, counted, feed, items

TODAY = int(NOW // DAY)


def numbers(database: Database) -> dict[str, int]:
    """How many posts there are of each stratum."""
    with database.read() as db:
        found = db.execute(select(feed.c.stratum, func.sum(feed.c.posts)).group_by(feed.c.stratum))
        return {stratum: int(posts) for stratum, posts in found if posts}


def count(database: Database, day: int, *posts: tuple[str, ...]) -> None:
    """Counts posts (id, stratum, perhaps text and image text)."""
    whole = [(*post, "", "") for post in posts]
    with database.write() as tx:
        count_feed(tx, day, [FeedPost("api", id_, stratum, text, words) for id_, stratum, text, words, *_ in whole])


def test_posts_add_up_per_day_and_stratum_and_each_counts_once(database: Database) -> None:
    with database.write() as tx:
        count_feed(
            tx, 1, [FeedPost(*post) for post in (("api", "1", "block"), ("api", "2", "far"), ("b", "1", "block"))]
        )
    count(database, 1, ("1", "block"), ("3", "block"), ("3", "block"))
    count(database, 2, ("2", "far"), ("4", "block"))
    count(database, 2)
    with database.read() as db:
        found = {(row.source, row.day, row.stratum): row.posts for row in db.execute(select(feed))}
    assert found == {("api", 1, "block"): 2, ("api", 1, "far"): 1, ("b", 1, "block"): 1, ("api", 2, "block"): 1}


def test_what_came_a_month_ago_is_forgotten_unless_it_came_again(database: Database) -> None:
    last = 1 + REMEMBERED
    count(database, 1, ("once", "block"), ("again", "block"))
    count(database, 2, ("again", "block"))
    count(database, last, ("new", "block"))
    count(database, last + 1, ("again", "block"), ("newer", "block"))
    assert numbers(database) == {"block": 4}
    with database.read() as db:
        assert db.execute(select(func.count()).select_from(counted)).scalar_one() == 3


def test_other_words_under_an_id_are_another_post(database: Database) -> None:
    """As of a file whose ids start again every week; what is no edit of an item is none here."""
    count(database, 1, ("1", "far", "a"), ("2", "far", "a", "b"), ("3", "far", "a"))
    count(database, 8, ("1", "far", "b"), ("2", "far", "a", "c"), ("3", "block", "b"))
    assert numbers(database) == {"far": 5, "block": 1}
    count(database, 9, ("1", "far", "b", "read by now"), ("1", "far"), ("2", "far", "a"))
    assert numbers(database) == {"far": 5, "block": 1}
    count(database, 9, *((str(id_), "far", words) for words in "abab" for id_ in (4, 5)))
    assert numbers(database) == {"far": 9, "block": 1}, "both versions of one batch, each once"


def test_a_post_that_is_of_another_stratum_by_now_moves_there(database: Database) -> None:
    count(database, 1, ("1", "far"), ("2", "far"))
    count(database, 3, ("1", "near"), ("2", "far"))
    with database.read() as db:
        found = {(row.day, row.stratum): row.posts for row in db.execute(select(feed))}
    assert found == {(1, "far"): 1, (1, "near"): 1}
    count(database, 3, ("1", "block"), ("1", "far"))
    assert numbers(database) == {"far": 2}


def test_what_was_counted_before_strata_were_remembered_stays_and_is_told_from_its_next_version(
    database: Database,
) -> None:
    count(database, 1, ("1", "far", "a"))
    with database.write() as tx:
        tx.execute(update(counted).values(dict.fromkeys(("counted_on", "stratum", "text_sum", "image_text_sum"))))
    count(database, 2, ("1", "block", "a"))
    assert numbers(database) == {"far": 1}
    count(database, 3, ("1", "block", "b"))
    count(database, 3, ("1", "near", "b"))
    assert numbers(database) == {"far": 1, "near": 1}


@pytest.mark.parametrize("policies", [("old", "new"), ("new", "old")])
def test_posts_that_come_again_under_another_policy_are_measured_as_what_it_says(
    settings: ReviewSettings, database: Database, policies: tuple[str, str]
) -> None:
    """Those that it flags for the first time made recall half of what it was; whatever came first, both are right."""
    intake = Intake(database, settings.model_copy(update={"audit_rate": 0.2, "audit_rate_near": 0.2}))
    scores = np.random.default_rng(1).random(400).tolist()
    flagged = {"old": 0.85, "new": 0.5}

    def asked(policy: str, score: float) -> float:
        return 0.7 if score >= flagged[policy] else 0.3 if score >= flagged[policy] / 2 else 0.02

    for day, policy in enumerate(policies):
        records = [decision(str(n), asked(policy, score)) | {"policy": policy} for n, score in enumerate(scores)]
        sent = [submission(str(n), f"words {n:b}", decision=record) for n, record in enumerate(records)]
        intake.take(sent, NOW + day * DAY)
    with database.write() as tx:
        taken = tx.execute(select(items.c.id, items.c.external)).all()
        decided = {number: scores[int(external)] >= 0.4 for number, external in taken}
        for number, hateful in decided.items():
            tx.execute(update(items).where(items.c.id == number).values(state="decided", hateful=hateful))
    with database.read() as db:
        strata = reading.strata(db)
    found = model.live(strata)
    expected = Counter(asked(policies[-1], score) for score in scores)
    assert {stratum.name: stratum.posts for stratum in strata} == {
        "review": expected[0.7],
        "allow-near": expected[0.3],
        "allow-far": expected[0.02],
    }
    assert found.precision.value == 1.0
    assert found.recall.low is not None
    assert found.recall.high is not None
    truth = expected[0.7] / sum(score >= 0.4 for score in scores)
    assert found.recall.low <= truth <= found.recall.high


def test_another_image_under_the_same_policy_moves_no_item(console: Console, database: Database) -> None:
    """The next version may be allowed and not sampled: the hateful one that was flagged counted as missed."""
    console.intake.take([submission("1", "words", 0.7)], NOW)
    console.intake.take([submission("1", "words", 0.02)], NOW)
    assert (row(database, 1).stratum, row(database, 1).inclusion) == ("review", 1.0)
    assert numbers(database) == {"review": 1}


@pytest.mark.parametrize("forgotten", [True, False])
def test_no_item_moves_whose_number_cannot_follow(console: Console, database: Database, forgotten: bool) -> None:
    """One that came before it was remembered as what, or more than a month ago."""
    console.intake.take([submission("1", "words", 0.7)], NOW)
    if not forgotten:
        with database.write() as tx:
            tx.execute(update(counted).values(stratum=None, counted_on=None))
    later = NOW + (REMEMBERED + 2) * DAY if forgotten else NOW
    console.intake.take([submission("1", "words", decision=decision("1", 0.02) | {"policy": "new"})], later)
    assert row(database, 1).stratum == "review"
    assert numbers(database) == ({"review": 1, "allow-far": 1} if forgotten else {"review": 1})


def test_an_item_of_an_earlier_text_says_nothing_of_the_stratum_of_the_next(
    console: Console, database: Database
) -> None:
    console.intake.take([submission("1", "first", 0.7)], NOW)
    console.intake.take([submission("1", "second", 0.02)], NOW)
    console.intake.take([submission("1", "second", 0.3)], NOW)
    assert numbers(database) == {"review": 1, "allow-near": 1}
    assert row(database, 1).stratum == "review"


def test_what_is_erased_leaves_nothing_by_which_to_guess_it(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "secret", author="a"), submission("2", "other")], NOW)
    with database.write() as tx:
        retention.erase_author(tx, "a", NOW)
        left = tx.execute(select(counted.c.text_sum)).scalars().all()
    assert [len(checksum) for checksum in left if checksum is not None] == [4]
    console.intake.take([submission("1", "edited"), submission("2", "other")], NOW)
    assert numbers(database) == {"review": 2}, "nor is an edit of it recognised"


def test_posts_that_are_sent_at_once_under_two_policies_count_once_where_their_items_are(
    everything: ReviewSettings, settings: ReviewSettings, database: Database
) -> None:
    def send(number: int) -> None:
        taker = Intake(database, everything if number % 3 == 0 else settings)
        posts = [submission(str(n), f"words {n:b}", (0.02, 0.7)[number % 2]) for n in range(30)]
        np.random.default_rng(number).shuffle(posts)
        taker.take(posts, NOW)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(24)))
    assert sum(numbers(database).values()) == 30
    with database.read() as db:
        strata = select(items.c.stratum, func.count()).group_by(items.c.stratum)
        assert dict(map(tuple, db.execute(strata))) == numbers(database)
