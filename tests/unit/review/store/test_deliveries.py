"""The outbox: later and later, given up, tried again, withdrawn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, BLOCK, NOW, cast

from crossguard.review.console import Console
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.store import deliveries, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import deliveries as outbox


@pytest.fixture
def message(console: Console, database: Database) -> str:
    console.intake.take([submission("1")], NOW)
    with database.write() as tx:
        deliveries.put(tx, 1, "item.decided", NOW, {"id": "1"})
        (waiting,) = deliveries.due(tx, NOW)
    return str(waiting.id)


def test_each_attempt_comes_twice_as_late_until_it_is_given_up(database: Database, message: str) -> None:
    now, waits = NOW, []
    with database.write() as tx:
        for attempt in range(deliveries.ATTEMPTS):
            assert deliveries.reserve(tx, message, attempt, now + 20)
            assert not deliveries.reserve(tx, message, attempt, now + 20), "another process has it"
            deliveries.failed(tx, message, attempt + 1, now, "no answer")
            if attempt + 1 < deliveries.ATTEMPTS:
                next_at = tx.execute(select(outbox.c.next_at)).scalar_one()
                waits.append(next_at - now)
                now = next_at
        assert waits[:4] == [21, 42, 84, 168]
        assert sum(waits) == pytest.approx(12 * 3600, rel=0.01)
        state = deliveries.state(tx)
        assert (state.waiting, state.given_up, state.problem) == (0, 1, "no answer")
        assert deliveries.retry(tx, now) == 1
        (again,) = deliveries.due(tx, now)
        assert again.id == message
        assert deliveries.withdraw(tx, 1), "it may have arrived, whatever the last attempts said"


def test_the_last_problem_is_that_of_the_last_message(
    console: Console, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    console.intake.take([submission("1"), submission("2")], NOW)
    names = iter(["f", "0"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(names))
    with database.write() as tx:
        for item, problem in ((1, "older"), (2, "newer")):
            deliveries.put(tx, item, "item.decided", NOW + item, {})
            name = deliveries.due(tx, NOW + item)[-1].id
            assert deliveries.reserve(tx, name, 0, NOW + 20)
            deliveries.failed(tx, name, 1, NOW + item, problem)
        assert deliveries.state(tx).problem == "newer"


def test_what_was_never_tried_is_taken_back_without_a_word(database: Database, message: str) -> None:
    with database.write() as tx:
        assert not deliveries.withdraw(tx, 1)
        assert deliveries.due(tx, NOW) == []
        deliveries.put(tx, 1, "item.decided", NOW, {})
        (again,) = deliveries.due(tx, NOW)
        assert again.id != message
        deliveries.reserve(tx, again.id, 0, NOW)
        assert deliveries.withdraw(tx, 1), "it may have gone out"


def test_what_did_not_arrive_is_not_sent_after_what_came_later(database: Database, message: str) -> None:
    with database.write() as tx:
        assert deliveries.reserve(tx, message, 0, NOW + 20)
        deliveries.put(tx, 1, "item.reopened", NOW, {"id": "1"})
        deliveries.failed(tx, message, 1, NOW, "no answer")
        (later,) = deliveries.due(tx, NOW + 30)
        assert later.event == "item.reopened"
        assert deliveries.retry(tx, NOW) == 0
        state = deliveries.state(tx)
        assert (state.waiting, state.given_up) == (1, 0)
        assert deliveries.withdraw(tx, 1), "the first may have gone out"


def test_of_two_messages_that_wait_the_later_is_sent(database: Database, message: str) -> None:
    with database.write() as tx:
        deliveries.put(tx, 1, "item.reopened", NOW, {"id": "1"})
        deliveries.put(tx, 1, "item.decided", NOW + 1, {"id": "1"})
        (latest,) = deliveries.due(tx, NOW + 30)
        assert (latest.event, latest.id != message) == ("item.decided", True)
        assert not deliveries.withdraw(tx, 1), "none of them went out"


@pytest.fixture
def appealed(console: Console, database: Database, ann: Person, ben: Person) -> None:
    """A post that Ann blocked, which did not arrive, and Ben allowed on appeal (item 2)."""
    console.intake.take([submission("1")], NOW)
    cast(database, 1, ann)
    with database.write() as tx:
        (decided,) = deliveries.due(tx, NOW)
        assert deliveries.reserve(tx, decided.id, 0, NOW + 5)
    take_appeal(console, Appeal(id="a1", post="1"), NOW)
    cast(database, 2, ben, ALLOW)


@pytest.mark.usefixtures("appealed")
def test_an_appeal_has_the_last_word_over_a_decision_that_did_not_arrive(database: Database) -> None:
    with database.read() as db:
        assert [entry.event for entry in deliveries.due(db, NOW + 30)] == ["appeal.decided"]


@pytest.mark.usefixtures("appealed")
def test_without_its_appeal_a_decision_that_did_not_arrive_is_sent(database: Database, ben: Person) -> None:
    with database.write() as tx:
        votes.undo(tx, f"2x{ben.id}", ben, NOW + 1, 600)
        assert [entry.event for entry in deliveries.due(tx, NOW + 1)] == ["item.decided"]


@pytest.mark.usefixtures("appealed")
def test_without_the_last_of_two_appeals_the_other_is_sent(
    console: Console, database: Database, ben: Person, cid: Person
) -> None:
    take_appeal(console, Appeal(id="a2", post="1"), NOW + 1)
    cast(database, 3, cid, BLOCK, NOW + 1)
    with database.write() as tx:
        votes.undo(tx, f"3x{cid.id}", cid, NOW + 2, 600)
        assert [(entry.event, entry.item) for entry in deliveries.due(tx, NOW + 2)] == [("appeal.decided", 2)]
        votes.undo(tx, f"2x{ben.id}", ben, NOW + 3, 600)
        assert [(entry.event, entry.item) for entry in deliveries.due(tx, NOW + 3)] == [("item.decided", 1)]


REPORT: dict[str, Any] = {"report": {"reporter": "r", "reason": ""}}


def tried(tx: Connection) -> None:
    """Lets what waits have been sent once, without an answer."""
    tx.execute(update(outbox).where(outbox.c.next_at.is_not(None)).values(attempts=1, next_at=NOW + 20))


def waiting(db: Connection) -> list[tuple[str, int, dict[str, Any]]]:
    """Returns event, item and body of each message that will be sent."""
    found = db.execute(select(outbox).where(outbox.c.next_at.is_not(None)).order_by(outbox.c.item))
    return [(message.event, message.item, json.loads(message.body)) for message in found]


@pytest.mark.parametrize("more", [{"text": "other words"}, REPORT], ids=["edited", "reported"])
def test_a_later_message_about_a_post_takes_the_place_of_those_about_other_items_of_it(
    more: dict[str, Any], console: Console, database: Database, ann: Person
) -> None:
    """A receiver knows the post; tried again, the earlier message would arrive last."""
    console.intake.take([submission("1")], NOW)
    cast(database, 1, ann)
    with database.write() as tx:
        tried(tx)
    console.intake.take([submission("1", **more)], NOW + 1)
    cast(database, 2, ann, ALLOW, NOW + 1)
    with database.read() as db:
        assert [(event, item) for event, item, _ in waiting(db)] == [("item.decided", 2)]


def test_without_it_the_earlier_one_about_another_item_is_sent_after_all(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1"), submission("1", **REPORT)], NOW)
    cast(database, 1, ann)
    cast(database, 2, ben, ALLOW, NOW + 1)
    with database.write() as tx:
        tried(tx)
        votes.undo(tx, f"2x{ben.id}", ben, NOW + 2, 600)
        ((event, item, body),) = waiting(tx)
    assert (event, item, body["data"]["outcome"]["action"]) == ("item.decided", 1, "block")
    assert body["timestamp"] == NOW + 2, "later than what it takes the place of, which may have arrived"


def test_a_message_that_waits_says_that_its_post_was_edited(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1"), submission("2")], NOW)
    cast(database, 1, ann)
    cast(database, 2, ann)
    take_appeal(console, Appeal(id="a1", post="2"), NOW)
    cast(database, 3, ben)
    console.intake.take([submission("1", "harmless words", score=0.02), submission("2", "other words")], NOW)
    with database.read() as db:
        said = [[body["data"][key] for key in ("id", "post", "version")] for _, _, body in waiting(db)]
    assert said == [["1#1", "1", "1#1"], ["a1", "2", "2#2"]]


def test_a_decision_on_an_earlier_version_takes_the_place_of_none_on_the_present_one(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    console.intake.take([submission("1", "other words")], NOW)
    cast(database, 2, ann, ALLOW)
    cast(database, 1, ann, BLOCK, NOW + 1)
    with database.read() as db:
        assert [(item, body["data"]["version"]) for _, item, body in waiting(db)] == [(1, "1#1"), (2, None)]


def test_nothing_waits_for_a_receiver_that_nobody_named(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission("1")], NOW)
    database.has_receiver = False
    cast(database, 1, ann)
    with database.read() as db:
        assert deliveries.due(db, NOW) == []
