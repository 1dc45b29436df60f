"""For programs: a key, JSON in, JSON out."""

from __future__ import annotations

import json
import threading
import time

import pytest
from httpx2 import Response
from sqlalchemy import select
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, BLOCK, NOW, cast, decide_one, erase, row, take, undo
from tests.unit.review.pages.conftest import ON_BOTH

from crossguard.review.console import Console
from crossguard.review.errors import ClaimLostError, NotFoundError, ReviewError
from crossguard.review.intake import Received
from crossguard.review.pages import api
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.pages.app import create_app
from crossguard.review.store import keys, retention, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import HOUR, deliveries
from crossguard.review.submissions import Submission


def test_posts_come_in_with_a_key_only(client: TestClient, console: Console) -> None:
    body = {"items": [submission("1").model_dump(mode="json")]}
    assert client.post("/api/items", json=body).status_code == 401
    with console.database.write() as tx:
        key = keys.add(tx, "serve", NOW)
    headers = {"authorization": f"Bearer {key}"}
    assert client.post("/api/items", json=body, headers=headers).json()["taken"] == 1
    wrong = client.post("/api/items", json={"items": [{"id": "2", "txt": "x"}]}, headers=headers)
    assert wrong.status_code == 422
    assert "Did you mean 'text'" in wrong.json()["error"]["message"]
    long = client.post("/api/items", json={"items": [{"id": "2", "text": "x" * 200_000}]}, headers=headers)
    message = long.json()["error"]["message"]
    assert "'items.0.text': String should have at most 100000 characters (got 'xxx" in message
    assert (message.count("\n"), len(message) < 500) == (0, True), "one problem, and not the whole text"
    for text, told in (("\ud83d", "write items.0.images=[\\ud83d],"), ("x" * 200_000, f"{'x' * 200}...]")):
        alone = client.post("/api/items", content=json.dumps({"items": [{"id": "2", "images": text}]}), headers=headers)
        assert (alone.status_code, len(alone.text) < 1000) == (422, True)
        assert told in alone.json()["error"]["message"]
    for broken in (b"{", b'{"items": ' + b"1" * 5000 + b"}", b"\xff"):
        assert client.post("/api/items", content=broken, headers=headers).status_code == 400
    appeal = client.post("/api/appeals", json={"id": "a", "post": "1"}, headers=headers)
    assert appeal.status_code == 409
    with console.database.write() as tx:
        keys.revoke(tx, "serve", NOW)
    assert client.post("/api/items", json=body, headers=headers).status_code == 401


def test_without_a_key_no_body_is_read(client: TestClient) -> None:
    messages: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def told() -> Message:
            messages.append(await receive())
            return messages[-1]

        await client.app(scope, told, send)

    answer = TestClient(app, raise_server_exceptions=False).post("/api/items", content=b"{}")
    assert (answer.status_code, messages) == (401, [])


def test_programs_leave_threads_to_people(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty slow calls took every thread of the console, and no page came."""
    monkeypatch.setattr(api, "AT_ONCE", 2)
    monkeypatch.setattr(api, "MOST_WAITING", 1)
    with console.database.write() as tx:
        headers = {"authorization": f"Bearer {keys.add(tx, 'serve', NOW)}"}
    running, go_on, answers = threading.Semaphore(0), threading.Event(), list[int]()
    take_posts = console.intake.take

    def slow(posts: list[Submission], now: float) -> Received:
        running.release()
        assert go_on.wait(20)
        return take_posts(posts, now)

    monkeypatch.setattr(console.intake, "take", slow)
    with TestClient(create_app(console), raise_server_exceptions=False) as client:

        def send(id_: str) -> Response:
            body = {"items": [submission(id_).model_dump(mode="json")]}
            return client.post("/api/items", json=body, headers=headers)

        sending = [threading.Thread(target=lambda id_=id_: answers.append(send(id_).status_code)) for id_ in "123"]
        for thread in sending:
            thread.start()
        assert running.acquire(timeout=20)
        assert running.acquire(timeout=20)
        turns: api.Turns = client.app.state.turns  # type: ignore[attr-defined]
        deadline = time.monotonic() + 20
        while not turns.are_taken and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not running.acquire(blocking=False), "the third waits"
        refused = send("4")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert refused.json()["error"]["code"] == "busy"
        assert client.get("/login").status_code == 200
        go_on.set()
        for thread in sending:
            thread.join()
    assert answers == [200, 200, 200]
    assert turns.calls == 0


def events(database: Database) -> set[str]:
    with database.read() as db:
        return set(db.execute(select(deliveries.c.event)).scalars())


def test_an_appeal_never_goes_to_who_decided_first(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission("1")], NOW)
    appeal = Appeal(id="a1", post="1", reason="It was a quotation.")
    with pytest.raises(ReviewError, match="not decided yet"):
        take_appeal(console, appeal, NOW)
    take(database, ann)
    cast(database, 1, ann)
    made = take_appeal(console, appeal, NOW)
    assert take_appeal(console, appeal, NOW) == made | {"known_already": True}
    assert take(database, ann, "appeals") is None
    with pytest.raises(ClaimLostError):
        cast(database, made["item"], ann)
    assert take(database, ben, "appeals") == made["item"]
    cast(database, made["item"], ben, ALLOW)
    assert "appeal.decided" in events(database)
    assert row(database, 1).outcome["action"] == "allow", "the appeal has the last word"
    assert not row(database, 1).hateful
    undo(database, made["item"], ben)
    assert row(database, 1).outcome["action"] == "block"


def test_an_appeal_for_another_post_under_a_known_id_is_not_lost_quietly(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1"), submission("2")], NOW)
    for item in (1, 2):
        assert take(database, ann) == item
        cast(database, item, ann)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)
    with pytest.raises(ReviewError, match="'a1' is about the post '1'"):
        take_appeal(console, Appeal(id="a1", post="2"), NOW)
    console.intake.take([submission("1", "edited words")], NOW)
    assert take_appeal(console, Appeal(id="a1", post="1"), NOW) == made | {"known_already": True}


def test_an_appeal_for_a_post_whose_id_ends_in_a_number_is_for_no_other(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1#9"), submission("1")], NOW)
    for item in (1, 2):
        cast(database, item, ann)
    take_appeal(console, Appeal(id="a1", post="1#9"), NOW)
    with pytest.raises(ReviewError, match="'a1' is about the post '1#9'"):
        take_appeal(console, Appeal(id="a1", post="1"), NOW)


def test_a_decision_that_is_appealed_against_is_not_taken_back(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    decide_one(console, ann)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    assert take(database, ben, "appeals") == made
    cast(database, made, ben, ALLOW)
    for again in (lambda tx: votes.undo(tx, f"1x{ann.id}", ann, NOW, 600), lambda tx: votes.clear(tx, 1, ben, NOW)):
        with pytest.raises(ReviewError, match="appeal against the decision on item 1"), database.write() as tx:
            again(tx)
    assert row(database, 1).outcome["action"] == "allow"


@ON_BOTH
def test_an_appeal_waits_for_an_undo_that_is_under_way(console: Console, database: Database, ann: Person) -> None:
    decide_one(console, ann)
    refused: list[ReviewError] = []

    def ask() -> None:
        try:
            take_appeal(console, Appeal(id="a1", post="1"), NOW)
        except ReviewError as error:
            refused.append(error)

    asking = threading.Thread(target=ask)
    with database.write() as tx:
        votes.undo(tx, f"1x{ann.id}", ann, NOW, 600)
        asking.start()
        asking.join(0.5)  # without waiting, it would find the item decided
    asking.join()
    assert ["is not decided yet" in str(error) for error in refused] == [True]


def test_an_appeal_is_against_all_that_was_decided_about_a_post(
    console: Console, database: Database, ann: Person, ben: Person, cid: Person
) -> None:
    report = {"reporter": "somebody", "reason": "look"}
    console.intake.take([submission("1"), submission("1", report=report)], NOW)
    cast(database, 1, ann)
    cast(database, 2, ben)
    console.intake.take([submission("2"), submission("2", report=report)], NOW)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    assert [take(database, who, "appeals") for who in (ann, ben, cid)] == [None, None, made]
    cast(database, made, cid, ALLOW)
    assert [row(database, item).outcome["action"] for item in (1, 2)] == ["allow", "allow"]
    undo(database, made, cid)
    assert [row(database, item).outcome["action"] for item in (1, 2)] == ["block", "block"]


@ON_BOTH
def test_an_appeal_is_against_what_was_decided_about_the_text_that_it_shows(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    """The text that was reported is one that nobody sent but with the report."""
    report = {"reporter": "somebody", "reason": "look"}
    decide_one(console, ann, "bad words")
    console.intake.take([submission("1", "harmless words", report=report)], NOW)
    assert take(database, ann) == 2
    cast(database, 2, ann)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    assert row(database, made).text == "harmless words"
    assert take(database, ben, "appeals") == made
    cast(database, made, ben, ALLOW)
    assert [row(database, item).outcome["action"] for item in (1, 2)] == ["block", "allow"]
    assert undo(database, 1, ann) == [1], "nobody appealed against it"


def test_an_appeal_covers_no_other_text_when_its_own_is_deleted_meanwhile(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    decide_one(console, ann, "bad words")
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    with database.write() as tx:
        assert retention.expire(tx, NOW + 3 * 86_400, 1) == 1
    console.intake.take([submission("1", "other words", report={"reporter": "somebody"})], NOW)
    other = take(database, ann)
    assert other is not None
    cast(database, other, ann)
    assert take(database, ben, "appeals") == made
    cast(database, made, ben, ALLOW)
    assert [row(database, item).outcome["action"] for item in (1, other)] == ["allow", "block"]


@ON_BOTH
def test_who_edited_a_post_is_told_how_to_appeal_against_what_was_decided(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("42", "bad words")], NOW)
    take(database, ann)
    cast(database, 1, ann)
    console.intake.take([submission("42", "harmless words")], NOW)
    with pytest.raises(ReviewError, match="Its earlier version, which is decided, is '42#1'"):
        take_appeal(console, Appeal(id="a1", post="42"), NOW)
    made = take_appeal(console, Appeal(id="a1", post="42#1"), NOW)["item"]
    assert row(database, made).appeal_of == 1


def test_who_edited_a_post_to_what_is_allowed_is_told_how_to_appeal(
    console: Console, database: Database, ann: Person
) -> None:
    decide_one(console, ann)
    console.intake.take([submission("1", "harmless words", score=0.02)], NOW)
    with pytest.raises(ReviewError, match="Its earlier version, which is decided, is '1#1'"):
        take_appeal(console, Appeal(id="a1", post="1"), NOW)


def test_a_report_that_waits_keeps_nobody_from_an_appeal(console: Console, database: Database, ann: Person) -> None:
    decide_one(console, ann)
    console.intake.take([submission("1", report={"reporter": "somebody", "reason": "look"})], NOW)
    made = take_appeal(console, Appeal(id="a1", post="1"), NOW)["item"]
    assert row(database, made).appeal_of == 1


def test_of_two_appeals_the_one_that_stands_has_the_last_word(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    decide_one(console, ann, ballot=ALLOW)
    first, second = (take_appeal(console, Appeal(id=name, post="1"), NOW)["item"] for name in ("a1", "a2"))
    for item, ballot, now in ((first, BLOCK, NOW + 1), (second, ALLOW, NOW + 2)):
        assert take(database, ben, "appeals", now=now) == item
        cast(database, item, ben, ballot, now=now)
    for item, action, hateful in ((second, "block", True), (first, "allow", False)):
        undo(database, item, ben, NOW + 3)
        assert (row(database, 1).outcome["action"], row(database, 1).hateful) == (action, hateful)


def test_what_nobody_can_look_at_again_is_refused(console: Console, database: Database, ann: Person) -> None:
    with pytest.raises(NotFoundError, match=r"There is no post '1' .* never sent, or it was allowed and not sampled"):
        take_appeal(console, Appeal(id="a1", post="1"), NOW)
    decide_one(console, ann, author="a")
    erase(database, "a")
    with pytest.raises(NotFoundError, match="content of the post '1' is deleted"):
        take_appeal(console, Appeal(id="a1", post="1"), NOW)


def test_an_appeal_shows_the_post_and_is_no_sample_of_the_feed(
    console: Console, database: Database, ann: Person
) -> None:
    decide_one(console, ann, "some words")
    made = row(database, take_appeal(console, Appeal(id="a1", post="1", reason="no\0!"), NOW + HOUR)["item"])
    assert (made.text, made.kind, made.appeal_of, made.appeal_reason) == ("some words", "appeal", 1, "no!")
    assert (made.stratum, made.inclusion, made.state, made.outcome) == ("routed", 1.0, "open", None)
