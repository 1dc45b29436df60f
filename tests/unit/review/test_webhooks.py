"""Webhooks: signed, sent until received, given up at some time, never sent by two processes at once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review import webhooks
from crossguard.review.console import Console
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import deliveries
from crossguard.review.store.database import Database
from crossguard.review.store.schema import deliveries as outbox
from crossguard.review.webhooks import LONGEST_BODY, Sender

SECRET = "0123456789abcdef"  # noqa: S105 - of this test


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with contextlib.closing(Database.open(str(tmp_path / "review.sqlite"))) as opened:
        Console(ReviewSettings(model="none"), opened).intake.take([submission("1")], NOW)
        with opened.write() as tx:
            deliveries.put(tx, 1, "item.decided", NOW, {"id": "1"})
        yield opened


class Receiver:
    """Answers with each status in turn, and remembers what it was sent."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self.statuses.pop(0) if self.statuses else 200)


def sender(database: Database, receiver: Receiver) -> Sender:
    return Sender(database, "https://hooks.example/in", SECRET, transport=httpx2.MockTransport(receiver))


def at(now: float) -> Callable[[], float]:
    """A clock that stands still."""
    return lambda: now


def test_a_message_is_signed_and_sent_once(database: Database) -> None:
    receiver = Receiver()
    outgoing = sender(database, receiver)
    assert outgoing.deliver(at(NOW)) == 1
    assert outgoing.deliver(at(NOW + 1)) == 0
    (request,) = receiver.requests
    name, seconds = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    expected = hmac.digest(SECRET.encode(), f"{name}.{seconds}.".encode() + request.content, hashlib.sha256)
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert json.loads(request.content) == {"type": "item.decided", "timestamp": NOW, "data": {"id": "1"}}


@pytest.mark.parametrize("part", [b"x" * (LONGEST_BODY + 1), b"x", b""], ids=["much", "slowly", "nothing"])
def test_of_the_body_of_an_answer_little_is_waited_for(
    part: bytes, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossguard.review.webhooks.LONGEST_BODY_S", 1.0 if len(part) > 1 else 0.01)

    async def never_ending() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.02 if part else 60)
        yield part
        raise AssertionError("it is read on")

    outgoing = Sender(
        database,
        "https://hooks.example/in",
        SECRET,
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=never_ending())),
    )
    assert outgoing.deliver(at(NOW)) == 1
    with database.read() as db:
        assert db.execute(select(outbox.c.delivered_at)).scalar_one() == NOW


@pytest.mark.parametrize("part", [b"HTTP/1.1 100 Continue\r\n\r\n", b"H"], ids=["interim answers", "byte by byte"])
def test_an_answer_that_never_begins_is_waited_for_no_longer_than_its_message_is_reserved(
    part: bytes, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part comes in time; all of them would keep every later message."""
    assert webhooks.DEADLINE_S < webhooks.RESERVED_S
    monkeypatch.setattr(webhooks, "DEADLINE_S", 0.3)
    stop = threading.Event()

    def trickle(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            while not stop.wait(0.02):
                connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        trickling = threading.Thread(target=trickle, args=(listener,))
        trickling.start()
        begun = time.monotonic()
        assert Sender(database, f"http://127.0.0.1:{listener.getsockname()[1]}/", SECRET).deliver(at(NOW)) == 1
        assert time.monotonic() - begun < 10
        stop.set()
        trickling.join()
    with database.read() as db:
        assert deliveries.state(db).problem == "not answered within 0 s"


def test_a_lookup_of_the_host_that_hangs_keeps_no_later_message(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can end it; the end of the loop of events waited for it."""
    monkeypatch.setattr(webhooks, "DEADLINE_S", 0.1)
    monkeypatch.setattr(webhooks, "MOST_LOOKUPS", 2)
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(20) and [])
    outgoing, told, begun = Sender(database, "http://hooks.example/", SECRET), list[str](), time.monotonic()
    for attempt in range(3):
        assert outgoing.deliver(at(NOW + attempt * 1000)) == 1
        with database.read() as db:
            told.append(deliveries.state(db).problem)
    assert time.monotonic() - begun < 10
    ended.set()
    assert told[:2] == ["not answered within 0 s"] * 2
    assert "2 lookups of the host's name have not ended" in told[2]


def test_it_is_tried_again_later_and_later_under_the_same_id(database: Database) -> None:
    receiver = Receiver(500, 302, 200)
    outgoing = sender(database, receiver)
    assert outgoing.deliver(at(NOW)) == 1
    assert outgoing.deliver(at(NOW + 20)) == 0
    assert outgoing.deliver(at(NOW + 21)) == 1
    assert outgoing.deliver(at(NOW + 62)) == 0
    assert outgoing.deliver(at(NOW + 63)) == 1
    assert outgoing.deliver(at(NOW + 10_000)) == 0
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def test_it_is_given_up_after_twelve_attempts_and_a_person_may_retry(database: Database) -> None:
    receiver = Receiver(*[500] * 12)
    outgoing, now = sender(database, receiver), NOW
    for _ in range(12):
        assert outgoing.deliver(at(now)) == 1
        now += 86_400
    assert outgoing.deliver(at(now)) == 0
    with database.write() as tx:
        assert tx.execute(select(outbox.c.problem)).scalar_one() == "answered 500"
        assert deliveries.retry(tx, now) == 1
    assert outgoing.deliver(at(now)) == 1
    with database.read() as db:
        assert db.execute(select(outbox.c.delivered_at)).scalar_one() == now


@pytest.mark.parametrize("address", ["http://a..b/in", "http://hooks.example/in\n"])
def test_an_address_that_nothing_can_be_sent_to_is_told_with_the_messages(database: Database, address: str) -> None:
    assert Sender(database, address, SECRET).deliver(at(NOW)) == 1
    with database.read() as db:
        assert deliveries.state(db).problem


def test_each_message_of_many_has_the_time_at_which_it_is_sent(database: Database) -> None:
    """A receiver that hardly answers makes the later ones wait; their signatures must not be old by then."""
    Console(ReviewSettings(model="none"), database).intake.take([submission("2")], NOW)
    with database.write() as tx:
        deliveries.put(tx, 2, "item.decided", NOW, {"id": "2"})
    times, receiver = itertools.count(NOW, 100.0), Receiver(500, 500)
    assert sender(database, receiver).deliver(lambda: next(times)) == 2
    assert [int(request.headers["webhook-timestamp"]) - NOW for request in receiver.requests] == [100, 300]
    with database.read() as db:
        later = db.execute(select(outbox.c.next_at).order_by(outbox.c.next_at)).scalars().all()
    assert later == [NOW + 221, NOW + 421], "planned from when they failed"


def test_a_message_whose_post_is_edited_while_others_are_sent_says_so(database: Database) -> None:
    Console(ReviewSettings(model="none"), database).intake.take([submission("2")], NOW)
    with database.write() as tx:
        deliveries.put(tx, 2, "item.decided", NOW + 1, {"id": "2", "kind": "flag"})
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content)["data"]["id"])
        with database.write() as tx:
            deliveries.rename(tx, [2], "2#2")
        return httpx2.Response(200)

    assert Sender(database, "https://hooks.example", SECRET, httpx2.MockTransport(answer)).deliver(at(NOW + 1)) == 2
    assert sent == ["1", "2#2"]
