"""The next item: what is held, what is known, what is like the last one, and the limit of a day."""

from __future__ import annotations

import pytest
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review.console import Console
from crossguard.review.errors import ReviewError
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, items, votes, workload
from crossguard.review.store.claims import Filters
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.submissions import Expected
from crossguard.review.taking import take_next

SPAM = "These people should all go back to where they came from, every single one of them"


@pytest.fixture
def engine() -> str:
    return "sqlite"


def take(
    database: Database, settings: ReviewSettings, person: Person, order: str = claims.OLDEST, after: int = 0
) -> int:
    with database.write() as tx:
        last = items.get(tx, after) if after else None
        found = take_next(tx, settings, person, "main", order=order, filters=Filters(), now=NOW, after=last)
    return found or 0


def answer(database: Database, item: int, person: Person) -> None:
    with database.write() as tx:
        votes.cast(tx, item, person, Ballot({"racist": Answer.NO}, "allow"), submission=f"s{item}", now=NOW)


def test_what_is_held_comes_first_and_near_duplicates_next(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    console.intake.take([submission("1", SPAM), submission("2"), submission("3", f"{SPAM}!!")], NOW)
    assert take(database, settings, ann) == 1
    assert take(database, settings, ann) == 1
    answer(database, 1, ann)
    assert take(database, settings, ann, after=1) == 3


def test_golden_items_come_as_often_as_the_settings_say(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    gold = submission("2", expected=Expected(action="allow", labels={}))
    console.intake.take([submission("1"), gold], NOW)
    assert take(database, settings.model_copy(update={"gold_rate": 1.0}), ann) == 2


def test_a_golden_item_is_one_that_the_filters_find(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    """Else it shows what it is, and measures people by languages that they do not read."""
    gold = submission("2", language="en", expected=Expected(action="allow", labels={}))
    console.intake.take([submission("1", language="de"), gold], NOW)
    always = settings.model_copy(update={"gold_rate": 1.0})
    for language, item in (("de", 1), ("en", 2)):
        with database.write() as tx:
            asked = Filters(language=language)
            assert take_next(tx, always, ann, "main", order=claims.OLDEST, filters=asked, now=NOW) == item
            claims.release(tx, item, ann.id)


def test_who_asks_for_posts_from_the_feed_gets_golden_items_too(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    """They look like these; who is never given one would never be measured."""
    console.intake.take([submission("1"), submission("2", expected=Expected(action="allow", labels={}))], NOW)
    always = settings.model_copy(update={"gold_rate": 1.0})
    with database.write() as tx:
        assert take_next(tx, always, ann, "main", order=claims.OLDEST, filters=Filters(kind="feed"), now=NOW) == 2


def test_a_day_has_a_limit_and_ends_at_midnight(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    console.intake.take([submission("1"), submission("2")], NOW)
    limited = settings.model_copy(update={"daily_limit": 1})
    answer(database, take(database, limited, ann), ann)
    with pytest.raises(ReviewError, match="1 items today"):
        take(database, limited, ann)
    with database.read() as db:
        assert [workload.seen_today(db, ann.id, now) for now in (NOW, NOW + 86_400)] == [1, 0]
