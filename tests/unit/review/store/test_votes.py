"""Decide, skip, escalate, undo: what each leaves behind, on both engines."""

from __future__ import annotations

import itertools
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DBAPIError
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, BLOCK, LEASE, NOW, cast, decide_one, person, row, take, undo

from crossguard.review.console import Console
from crossguard.review.errors import ClaimLostError, NotFoundError, ReviewError
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, deliveries, items, listing, log, retention, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import HOUR
from crossguard.review.store.schema import deliveries as outbox
from crossguard.review.store.schema import items as table

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "review.md"


def escalate(database: Database, who: Person, queue: str = "main") -> None:
    """Takes item 1 from a queue and escalates it, by a submission named after the person."""
    assert take(database, who, queue) == 1
    with database.write() as tx:
        votes.pass_on(tx, 1, who, votes.ESCALATE, "", submission=f"e{who.id}", now=NOW)


def take_back(database: Database, who: Person) -> list[int]:
    with database.write() as tx:
        return votes.undo(tx, f"e{who.id}", who, NOW + 1, HOUR)


def events(database: Database) -> list[str]:
    with database.read() as db:
        waiting = outbox.c.next_at.is_not(None) | (outbox.c.attempts > 0)
        return list(db.execute(select(outbox.c.event).where(waiting).order_by(outbox.c.next_at)).scalars())


@pytest.mark.parametrize("engine", ["postgresql"])
def test_reopening_and_deciding_versions_of_one_post_come_one_after_the_other(
    console: Console, database: Database, ann: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both change the messages about the earlier version, and PostgreSQL ends one of two that wait for each other."""
    names = itertools.count(1)
    monkeypatch.setattr("secrets.token_hex", lambda _: f"{next(names):032}")  # else messages have any order
    report = {"reporter": "r", "reason": "insult"}
    console.intake.take([submission("1", "first"), submission("1", "first", report=report)], NOW)
    cast(database, 1, ann)
    cast(database, 2, ann)
    console.intake.take([submission("1", "second")], NOW)
    assert [row(database, item).external for item in (1, 2, 3)] == ["1#1", "1#1", "1"]
    failed: list[Exception] = []

    def decide() -> None:
        try:
            cast(database, 3, ben)
        except DBAPIError as error:
            failed.append(error)

    deciding, send_last = threading.Thread(target=decide), votes._send_last

    def meanwhile(tx: Connection, reopened: Any, now: float) -> None:  # after the message of item 2 was taken back
        deciding.start()
        deciding.join(1)
        send_last(tx, reopened, now)

    monkeypatch.setattr(votes, "_send_last", meanwhile)
    with database.write() as tx:
        votes.clear(tx, 2, ann, NOW + 1)
    deciding.join()
    assert failed == []
    assert [row(database, item).state for item in (1, 2, 3)] == ["decided", "open", "decided"]


def test_a_decision_is_recorded_once_and_goes_out(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission("1")], NOW)
    item = take(database, ann)
    assert item == 1
    cast(database, item, ann)
    cast(database, item, ann)  # the browser sends again what it never heard an answer to
    found = row(database, item)
    assert found.state == "decided"
    assert found.outcome["labels"] == {"racist": 1.0}
    assert found.claimed_by is None
    with database.read() as db:
        (vote,) = votes.standing(db, item)
        (message,) = deliveries.due(db, NOW)
        acts = [entry.act for entry in log.entries(db)]
    assert (vote.claimed_at, vote.decided_at) == (NOW, NOW)
    assert json.loads(message.body)["data"] == {
        "item": 1, "source": "api", "kind": "flag", "id": "1", "post": "1", "version": None,
        "outcome": {"labels": {"racist": 1.0}, "action": "block", "clause": "", "votes": 1, "agreed": True},
    }  # fmt: skip
    assert acts == ["decide"], "claims are not in the log"


def test_messages_about_an_edited_post_name_it_as_its_source_does(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    for words in ("the first words", "quite another text"):
        console.intake.take([submission("1", words)], NOW)
    cast(database, 1, ann)
    made = take_appeal(console, Appeal(id="a1", post="1#1"), NOW)["item"]
    cast(database, made, ben, ALLOW)
    with database.read() as db:
        messages = [json.loads(body) for body in db.execute(select(outbox.c.body).order_by(outbox.c.item)).scalars()]
    named = [(sent["type"], *(sent["data"][key] for key in ("kind", "id", "post", "version"))) for sent in messages]
    assert named == [("item.decided", "flag", "1#1", "1", "1#1"), ("appeal.decided", "appeal", "a1", "1", "1#1")]


def test_the_guide_has_an_example_of_each_message(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    examples = re.findall(r'```json\n(\{"type": .*?)```', GUIDE.read_text(), re.DOTALL)
    console.intake.take([submission("1")], NOW)
    cast(database, 1, ann)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    cast(database, made, ben, ALLOW)
    with database.write() as tx:
        tx.execute(update(outbox).values(attempts=1, delivered_at=NOW))
        votes.undo(tx, f"{made}x{ben.id}", ben, NOW, HOUR)
        sent = tx.execute(select(outbox.c.body)).scalars().all()

    def keys(body: str) -> tuple[list[str], ...]:
        message = json.loads(body)
        data = message["data"]
        return [message["type"]], list(message), list(data), list(data.get("outcome", {}))

    assert sorted(map(keys, examples)) == sorted(map(keys, sent))


def test_who_lost_the_item_is_told_and_nothing_is_recorded(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    take(database, ann)
    assert take(database, ben, now=NOW + LEASE) == 1
    with pytest.raises(ClaimLostError, match="with somebody else now, or not for you"):
        cast(database, 1, ann, now=NOW + LEASE)
    cast(database, 1, ben, now=NOW + LEASE)
    with pytest.raises(ClaimLostError, match="decided by somebody else meanwhile"):
        cast(database, 1, ann, now=NOW + LEASE)
    with pytest.raises(ClaimLostError, match="You have answered this item before"), database.write() as tx:
        votes.cast(tx, 1, ben, BLOCK, submission="from another tab", now=NOW + LEASE)
    with database.read() as db:
        assert [vote.person for vote in votes.standing(db, 1)] == [ben.id]


def test_an_answer_that_waited_in_the_browser_counts_when_nobody_took_the_item(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    take(database, ann)
    cast(database, 1, ann, now=NOW + 10 * LEASE)
    assert row(database, 1).state == "decided"


def test_skipped_items_go_to_others_only(console: Console, database: Database, ann: Person, ben: Person) -> None:
    console.intake.take([submission("1")], NOW)
    take(database, ann)
    with database.write() as tx:
        votes.pass_on(tx, 1, ann, votes.SKIP, "not enough context", submission="s", now=NOW)
    assert take(database, ann) is None
    assert take(database, ben) == 1


def test_escalated_items_wait_in_the_second_queue_and_come_back_with_undo(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    escalate(database, ann)
    assert take(database, ann, "escalated") is None
    assert row(database, 1).queue == "escalated"
    assert take_back(database, ann) == [1]
    assert row(database, 1).queue == "main"
    assert take(database, ben) == 1


def test_an_undone_escalation_takes_the_item_from_nobody(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    escalate(database, ann)
    assert take(database, ben, "escalated") == 1
    take_back(database, ann)
    assert row(database, 1).queue == "escalated", "who holds it may be limited to that queue"
    cast(database, 1, ben)
    assert row(database, 1).state == "decided"


def test_an_item_comes_back_when_the_last_escalation_is_undone(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    escalate(database, ann)
    escalate(database, ben, "escalated")
    for who, queue in ((ann, "escalated"), (ben, "main")):
        take_back(database, who)
        assert row(database, 1).queue == queue


@pytest.mark.parametrize("kind", [votes.SKIP, votes.ESCALATE])
def test_undo_of_what_decided_nothing_leaves_anothers_decision_alone(
    console: Console, database: Database, ann: Person, ben: Person, kind: str
) -> None:
    console.intake.take([submission("1")], NOW)
    take(database, ann)
    with database.write() as tx:
        votes.pass_on(tx, 1, ann, kind, "", submission="p", now=NOW)
    assert take(database, ben, row(database, 1).queue) == 1
    cast(database, 1, ben)
    before = row(database, 1)
    with database.write() as tx:
        assert votes.undo(tx, "p", ann, NOW + 1, HOUR) == [1]
    assert row(database, 1) == before
    assert events(database) == ["item.decided"]


def test_undo_reopens_and_tells_who_heard_of_the_outcome(console: Console, database: Database, ann: Person) -> None:
    decide_one(console, ann)
    with database.write() as tx:
        (message,) = deliveries.due(tx, NOW)
        assert deliveries.reserve(tx, message.id, 0, NOW + 60)
        assert not deliveries.reserve(tx, message.id, 0, NOW + 60), "a second sender must not send it too"
    assert undo(database, 1, ann, NOW + 1) == [1]
    assert row(database, 1).state == "open"
    assert sorted(events(database)) == ["item.decided", "item.reopened"], "the first is on its way"
    with database.write() as tx, pytest.raises(NotFoundError):
        votes.undo(tx, f"1x{ann.id}", ann, NOW + 2, HOUR)


def test_undo_before_the_message_went_out_sends_nothing(console: Console, database: Database, ann: Person) -> None:
    decide_one(console, ann)
    undo(database, 1, ann, NOW + 1)
    assert events(database) == []
    assert take(database, ann) == 1, "who undid may decide again"


def test_undo_is_for_a_while_and_for_ones_own(console: Console, database: Database, ann: Person, ben: Person) -> None:
    decide_one(console, ann)
    with database.write() as tx, pytest.raises(NotFoundError):
        votes.undo(tx, f"1x{ann.id}", ben, NOW, HOUR)
    with database.write() as tx, pytest.raises(ReviewError, match="60 minutes"):
        votes.undo(tx, f"1x{ann.id}", ann, NOW + HOUR + 1, HOUR)


def test_a_blind_second_vote_and_a_third_person(
    database: Database, settings: ReviewSettings, ann: Person, ben: Person, cid: Person
) -> None:
    console = Console(settings.model_copy(update={"second_vote_rate": 1.0}), database)
    console.intake.take([submission("1")], NOW)
    assert take(database, ann) == 1
    assert take(database, ben) is None, "one at a time"
    cast(database, 1, ann, BLOCK)
    assert take(database, ann) is None, "not twice by the same person"
    assert take(database, ben) == 1
    cast(database, 1, ben, ALLOW)
    assert row(database, 1).state == "open"
    assert take(database, ben) is None
    assert take(database, cid) == 1
    cast(database, 1, cid, ALLOW)
    found = row(database, 1)
    assert found.state == "decided"
    assert found.outcome["action"] == "allow"
    assert found.outcome["labels"]["racist"] == pytest.approx(1 / 3)


def test_near_duplicates_are_decided_and_undone_together(console: Console, database: Database, ann: Person) -> None:
    words = [
        "Buy NOW at http://a.example 100",
        "buy now at http://b.example 7!!",
        "buuuy now   at @somebody",
        "other words",
    ]
    console.intake.take([submission(str(index), text) for index, text in enumerate(words)], NOW)
    with database.write() as tx:
        assert claims.claim(tx, 1, ann.id, NOW, LEASE)
        others = [other.id for other in listing.beside(tx, items.get(tx, 1), ann.id, NOW)]
        assert others == [2, 3]
        for item in (1, *others):
            votes.cast(tx, item, ann, BLOCK, submission="together", now=NOW)
    assert [row(database, item).state for item in (1, 2, 3, 4)] == ["decided", "decided", "decided", "open"]
    with database.write() as tx:
        assert votes.undo(tx, "together", ann, NOW, HOUR) == [1, 2, 3]
    assert [row(database, item).state for item in (1, 2, 3)] == ["open"] * 3


def test_undo_passes_over_what_nobody_may_judge_again(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission(str(index), author=f"a{index}") for index in range(1, 4)], NOW)
    with database.write() as tx:
        for item in (1, 2, 3):
            votes.cast(tx, item, ann, BLOCK, submission="together", now=NOW)
        retention.erase_author(tx, "a1", NOW)
    take_appeal(console, Appeal(id="p1", post="2"), NOW)
    with database.write() as tx:
        assert votes.undo(tx, "together", ann, NOW, HOUR) == [3]
        assert votes.count_standing(tx, ann.id, "together") == 2
        assert [len(votes.standing(tx, item)) for item in (1, 2, 3)] == [1, 1, 0]
        undone = [entry.item for entry in log.entries(tx) if entry.act == "undo"]
    assert undone == [3]
    assert [row(database, item).state for item in (1, 2, 3)] == ["decided", "decided", "open"]
    with database.write() as tx, pytest.raises(ReviewError, match="nobody can judge it again"):
        votes.undo(tx, "together", ann, NOW, HOUR)


def test_a_lead_reopens_an_old_decision(console: Console, database: Database, ann: Person) -> None:
    lead = person(database, "Lea", Role.LEAD)
    decide_one(console, ann)
    with database.write() as tx:
        votes.clear(tx, 1, lead, NOW + 99 * HOUR)
    assert row(database, 1).state == "open"
    with database.read() as db:
        assert votes.standing(db, 1) == []


def test_the_table_of_items_says_which_are_golden(console: Console, database: Database, ann: Person) -> None:
    known: dict[str, Any] = {"expected": {"action": "block", "labels": {"racist": "yes"}}}
    console.intake.take([submission("1"), submission("2", **known)], NOW)
    assert take(database, ann) == 1
    assert take(database, person(database, "Dan")) is None, "golden items are not served as ordinary ones"
    with database.write() as tx:
        golden = claims.claim_next(tx, ann.id, "main", NOW, LEASE, order=claims.RANDOM, state=claims.GOLD)
    assert golden == 2
    cast(database, 2, ann)
    found = row(database, 2)
    assert (found.state, found.outcome) == ("gold", None)
    assert events(database) == []
    with database.read() as db:
        assert db.execute(select(table.c.expected).where(table.c.id == 2)).scalar_one() == known["expected"]
