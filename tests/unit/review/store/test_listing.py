"""What waits in a queue, and what a person answered, page by page."""

from __future__ import annotations

from itertools import chain

import pytest
from sqlalchemy import update
from tests.support.review import submission
from tests.unit.review.conftest import NOW, row

from crossguard.review.console import Console
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, items, listing, votes
from crossguard.review.store.claims import Filters
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import items as table


def fill(console: Console, count: int) -> None:
    console.intake.take([submission(str(number), score=0.5 + number / 100) for number in range(count)], NOW)


def pages(database: Database, order: str, filters: Filters, limit: int = 2) -> list[list[int]]:
    """Returns the ids on each page of a queue."""
    found: list[list[int]] = []
    after = None
    while not found or after is not None:
        with database.read() as db:
            rows, after = listing.page(db, "main", filters, order, after=after, limit=limit)
        found.append([row.id for row in rows])
    return found


@pytest.mark.parametrize(
    ("order", "listed"),
    [
        (claims.URGENT, [[5, 4], [3, 2], [1]]),
        (claims.OLDEST, [[1, 2], [3, 4], [5]]),
        (claims.UNCERTAIN, [[1, 2], [3, 4], [5]]),
    ],
)
def test_pages_follow_each_other_in_order(
    console: Console, database: Database, order: str, listed: list[list[int]]
) -> None:
    fill(console, 5)
    assert pages(database, order, {}) == listed
    assert sorted(chain.from_iterable(pages(database, claims.RANDOM, {}))) == [1, 2, 3, 4, 5]


def test_a_page_goes_on_where_the_last_ended_whatever_was_decided_meanwhile(
    console: Console, database: Database, ann: Person
) -> None:
    fill(console, 5)
    with database.read() as db:
        first, after = listing.page(db, "main", {}, claims.OLDEST, limit=2)
    with database.write() as tx:
        assert claims.claim(tx, 1, ann.id, NOW, 600)
        votes.cast(tx, 1, ann, Ballot({}, "allow"), submission="s", now=NOW)
    with database.read() as db:
        second, _ = listing.page(db, "main", {}, claims.OLDEST, after=after, limit=2)
    assert [row.id for row in (*first, *second)] == [1, 2, 3, 4]


def test_filters_by_what_the_model_said_do_not_find_what_is_judged_blind(console: Console, database: Database) -> None:
    fill(console, 2)
    with database.write() as tx:
        tx.execute(update(table).where(table.c.id == 1).values(blind=True))
    assert pages(database, claims.OLDEST, {"label": "racist"}) == [[2]]
    assert pages(database, claims.OLDEST, {"score_from": 0.1}) == [[2]]
    assert pages(database, claims.OLDEST, {"kind": "feed"}) == [[1, 2]]


def test_a_label_that_another_contains_is_not_found_by_it(console: Console, database: Database) -> None:
    fill(console, 1)
    assert pages(database, claims.OLDEST, {"label": "racis"}) == [[]]
    assert pages(database, claims.OLDEST, {"label": "%"}) == [[]]


def test_what_is_judged_blind_is_judged_by_itself(everything: ReviewSettings, database: Database, ann: Person) -> None:
    """Near-duplicates beside an allowed post would tell it from flagged ones that two people decide."""
    posts = [submission(str(index), "the same words", score) for index, score in enumerate((0.02, 0.03, 0.7, 0.8))]
    Console(everything, database).intake.take(posts, NOW)
    assert [row(database, item).blind for item in (1, 2, 3, 4)] == [True, True, False, False]
    with database.read() as db:
        alike = [[other.id for other in listing.beside(db, items.get(db, item), ann.id, NOW)] for item in (1, 2, 3, 4)]
    assert alike == [[], [], [4], [3]]


def test_answers_given_together_are_counted_without_those_that_were_taken_back(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(str(number)) for number in range(3)], NOW)
    with database.write() as tx:
        for item in (1, 2, 3):
            votes.cast(tx, item, ann, Ballot({}, "allow"), submission="s", now=NOW)
        votes.clear(tx, 2, ben, NOW)
        assert [(row.item, row.together) for row in listing.recent(tx, ann.id)] == [(3, 2), (1, 2)]


def test_answers_come_newest_first_and_a_page_goes_on_where_the_last_ended(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(str(number), image_text="on a sign") for number in range(5)], NOW)
    with database.write() as tx:
        for item, at in ((1, NOW), (2, NOW), (3, NOW + 1), (4, NOW + 2)):
            assert claims.claim(tx, item, ann.id, at, 600)
            votes.cast(tx, item, ann, Ballot({"racist": Answer.NO}, "allow"), submission=f"s{item}", now=at)
        votes.undo(tx, "s3", ann, NOW + 3, 600)
    with database.read() as db:
        first = listing.recent(db, ann.id, limit=2)
        place = first[-1].decided_at, first[-1].id
        assert [(row.item, row.image_text) for row in first] == [(4, "on a sign"), (2, "on a sign")]
        assert [row.item for row in listing.recent(db, ann.id, before=place)] == [1]
        assert listing.recent(db, ann.id, limit=1)[0].submission == "s4"
        assert listing.recent(db, ben.id, limit=1) == []
        assert listing.seen_today(db, ann.id, NOW) == 4, "what was undone was seen"
