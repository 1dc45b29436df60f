"""Golden items know what was decided last about their post."""

from __future__ import annotations

import pytest
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, BLOCK, NOW, cast, row, undo

from crossguard.review.console import Console
from crossguard.review.errors import ReviewError
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.store import golden, items, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.submissions import Expected

YES = {"action": "block", "labels": {"racist": "yes"}}
NO = {"action": "allow", "labels": {"racist": "no"}}


def make(database: Database, item: int = 1) -> str:
    with database.write() as tx:
        return golden.make(tx, items.get(tx, item), "main", NOW)


@pytest.fixture(autouse=True)
def decided(console: Console, database: Database, ann: Person) -> None:
    """Item 1 is blocked."""
    console.intake.take([submission("1")], NOW)
    cast(database, 1, ann, BLOCK)


def test_an_appeal_changes_the_answer_and_undoing_it_brings_that_back(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    assert make(database) == "make golden"
    appeal = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    assert row(database, 2).expected == YES
    cast(database, appeal, ben, ALLOW, NOW + 1)
    assert (row(database, 2).expected, row(database, 2).state) == (NO, "gold")
    undo(database, appeal, ben, NOW + 2)
    assert row(database, 2).expected == YES


def test_made_again_it_takes_the_answer_of_now(console: Console, database: Database, ann: Person, ben: Person) -> None:
    make(database)
    undo(database, 1, ann)
    cast(database, 1, ben, Ballot({"racist": Answer.NO, "sexist": Answer.UNSURE}, "allow"))
    assert row(database, 2).expected == YES
    assert make(database) == "change golden"
    assert row(database, 2).expected == NO
    with pytest.raises(ReviewError, match="golden item of this post already, with this answer"):
        make(database)


def test_an_answer_that_was_not_the_decision_stays(console: Console, database: Database, ben: Person) -> None:
    other = Expected(action="block", labels={"sexist": "yes"})
    console.intake.take([submission("1", expected=other)], NOW)
    appeal = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    cast(database, appeal, ben, ALLOW)
    assert row(database, 2).expected == other.model_dump()


def test_the_answer_to_another_text_stays(console: Console, database: Database, ben: Person) -> None:
    console.intake.take([submission("1", "other words", expected=Expected.model_validate(YES))], NOW)
    with pytest.raises(ReviewError, match="with another text or other images"):
        make(database)
    appeal = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    cast(database, appeal, ben, ALLOW)
    assert row(database, 2).expected == YES


def test_a_golden_item_takes_one_answer_back_from_an_appeal_about_several_items(
    console: Console, database: Database, ann: Person, ben: Person, cid: Person
) -> None:
    """The report on a post was decided otherwise than what the model flagged, of which the golden item was made."""
    console.intake.take([submission("1")], NOW)
    console.intake.take([submission("1", report={"reporter": "r", "reason": "rude"})], NOW)
    cast(database, 1, ann, BLOCK)
    cast(database, 2, ben, ALLOW)
    with database.write() as tx:
        golden.make(tx, row(database, 1), "main", NOW)
    before = row(database, 3).expected
    take_appeal(console, Appeal(id="x", source=row(database, 1).source, post="1"), NOW)
    cast(database, 4, cid, BLOCK, NOW + 5)
    with database.write() as tx:
        votes.clear(tx, 4, cid, NOW + 6)
    assert row(database, 1).outcome["action"] == "block"
    assert row(database, 3).expected == before
