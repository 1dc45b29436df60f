"""A connection in each of its states, over a transport that keeps what is written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from tests.support.loops import in_loop
from uvicorn.server import ServerState

from crossguard.serving.endpoints import CROWDED
from crossguard.serving.protocol import (
    MAX_HEADER_BYTES,
    MAX_PIPELINED,
    GuardedProtocol,
    Places,
    Receiving,
    guarded_protocol,
    spare_connections,
)
from crossguard.serving.settings import ServeSettings

TIMES = ("header_timeout_s", "request_timeout_s", "body_timeout_s", "keep_alive_s", "send_timeout_s")
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: a\r\n"


class Transport(asyncio.Transport):
    """A connection to a client that is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.wrote = asyncio.Event()
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        assert not self.closed.is_set()
        self.written += bytes(data)
        self.wrote.set()

    def close(self) -> None:
        self.closed.set()

    abort = close

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Has no buffer."""

    def pause_reading(self) -> None:
        """Reads nothing by itself."""

    def resume_reading(self) -> None:
        """Reads nothing by itself."""


class Connection:
    """A protocol over a transport; its application answers with what it was sent, once it may."""

    def __init__(self, places: Places | None = None, **short: Any) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.scopes: list[Scope] = []
        config = uvicorn.Config(self._app, interface="asgi3", log_config=None)
        times = dict.fromkeys(TIMES, 3600.0) | short
        kind = guarded_protocol(ServeSettings.model_construct(**times), places or Places(1024))
        self.protocol: GuardedProtocol = kind(config=config, server_state=ServerState(), app_state={})
        self.transport = Transport()
        self.protocol.connection_made(self.transport)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await self.may_answer.wait()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def send(self, *data: bytes) -> None:
        for part in data:
            self.protocol.data_received(part)

    def send_unanswered(self, *data: bytes) -> None:
        """Sends what is not answered before `may_answer` is set."""
        self.may_answer.clear()
        self.send(*data)

    async def answers(self, count: int) -> None:
        """Waits for that many answers."""
        async with asyncio.timeout(20):
            while self.transport.written.count(b"HTTP/1.1 ") < count:
                await self.transport.wrote.wait()
                self.transport.wrote.clear()

    async def closed(self) -> bytes:
        """Waits for the end of the connection; returns all that was written."""
        async with asyncio.timeout(20):
            await self.transport.closed.wait()
        return self.transport.written


@in_loop
async def test_requests_are_answered_and_the_connection_rests() -> None:
    connection = Connection()
    for count in (1, 2):
        connection.send(POST + b"content-length: 3\r\n\r\nab", b"c")
        await connection.answers(count)
    assert connection.transport.written.endswith(b"\r\n\r\nabc")
    assert connection.protocol._receiving is Receiving.IDLE
    assert connection.protocol._rests
    assert not connection.transport.is_closing()


@pytest.mark.parametrize(
    ("times", "sent"),
    [
        (["header_timeout_s"], b""),
        (["header_timeout_s"], b"\r\n\r\n"),
        (["header_timeout_s"], b"GET / HTTP/1.1\r\nx: y"),
        (["request_timeout_s", "body_timeout_s"], POST + b"content-length: 9\r\n\r\nabc"),
        (["request_timeout_s", "body_timeout_s"], POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
        (["keep_alive_s"], GET),
    ],
)
@in_loop
async def test_no_state_lasts(times: list[str], sent: bytes) -> None:
    short: dict[str, Any] = dict.fromkeys(times, 0.02)
    connection = Connection(**short)
    connection.send(sent)
    await connection.closed()


@in_loop
async def test_a_client_that_does_not_read_is_given_up() -> None:
    connection = Connection(send_timeout_s=0.02)
    connection.protocol.pause_writing()
    connection.protocol.resume_writing()
    assert connection.protocol._write_timer is None
    connection.protocol.pause_writing()
    await connection.closed()


@in_loop
async def test_headers_end_somewhere() -> None:
    connection = Connection()
    connection.send(GET[:-2], *(b"x: " + b"y" * 1000 + b"\r\n" for _ in range(MAX_HEADER_BYTES // 900)))
    assert (await connection.closed()).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "long",
    [
        GET[:-2] + b"x: " + b"y" * MAX_HEADER_BYTES + b"\r\n\r\n",
        GET.replace(b" / ", b" /" + b"a" * MAX_HEADER_BYTES + b" "),
        GET[:-2] + b"connection: upgrade\r\nupgrade: h2c\r\nx: " + b"y" * MAX_HEADER_BYTES + b"\r\n\r\n",
    ],
)
@in_loop
async def test_headers_that_come_in_one_read_are_no_longer_than_others(long: bytes) -> None:
    connection = Connection()
    connection.send(long)
    assert (await connection.closed()).startswith(b"HTTP/1.1 431 ")
    assert not connection.scopes
    with_body = Connection()
    body = b"a" * 2 * MAX_HEADER_BYTES
    with_body.send(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
    await with_body.answers(1)
    assert with_body.transport.written.endswith(body)


@in_loop
async def test_a_body_is_no_header_and_a_trailer_is_dropped() -> None:
    connection = Connection()
    chunk = b"%x\r\n%b\r\n" % (MAX_HEADER_BYTES, b"a" * MAX_HEADER_BYTES)
    connection.send(POST + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 3, b"0\r\nx-trailer: evil\r\n\r\n")
    await connection.answers(1)
    assert connection.transport.written.endswith(b"a" * 3 * MAX_HEADER_BYTES)
    assert b"x-trailer" not in dict(connection.scopes[0]["headers"])
    connection.send(POST + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", *[b"y" * 1000] * (MAX_HEADER_BYTES // 900))
    await connection.closed()


@in_loop
async def test_requests_of_one_connection_wait_for_each_other_and_are_few() -> None:
    connection = Connection()
    connection.send_unanswered(GET * (MAX_PIPELINED + 1))
    assert not connection.transport.is_closing()
    connection.may_answer.set()
    await connection.answers(MAX_PIPELINED + 1)
    many = Connection()
    many.send_unanswered(GET * (MAX_PIPELINED + 2))
    assert b"HTTP/1.1 400 " in await many.closed()


@in_loop
async def test_an_upgrade_is_ignored_and_its_body_read() -> None:
    connection = Connection()
    upgrade = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    connection.send(POST + upgrade + b"content-length: 3\r\n\r\nabc")
    await connection.answers(1)
    assert connection.transport.written.endswith(b"abc")
    assert set(dict(connection.scopes[0]["headers"])) == {b"host", b"content-length"}
    connection.send(GET)
    await connection.answers(2)


@in_loop
async def test_a_tunnel_is_refused() -> None:
    connection = Connection()
    connection.send(b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n")
    assert b"This is no proxy." in await connection.closed()


@in_loop
async def test_who_closes_its_side_is_answered_if_all_of_its_request_came() -> None:
    connection = Connection()
    connection.send_unanswered(POST + b"content-length: 3\r\n\r\nabc")
    await asyncio.sleep(0)
    assert connection.protocol.eof_received() is True
    connection.may_answer.set()
    assert (await connection.closed()).endswith(b"abc")
    for sent in (b"", POST, POST + b"content-length: 3\r\n\r\na"):
        half = Connection()
        half.send(sent)
        assert half.protocol.eof_received() is None


@in_loop
async def test_room_for_a_request_is_made_by_who_rested_longest() -> None:
    closed: list[None] = []
    places = Places(4, lambda: closed.append(None))
    busy, second, first = (Connection(places) for _ in range(3))
    busy.send_unanswered(GET)
    for connection in (second, first, second):
        connection.send(GET)
        await connection.answers(1 + (b"HTTP/1.1 " in connection.transport.written))
    new = Connection(places)
    assert not first.transport.is_closing(), "only a request needs room"
    new.send(GET)
    await new.answers(1)
    assert [one.transport.is_closing() for one in (first, second, busy, new)] == [True, False, False, False]
    assert CROWDED not in new.scopes[0]
    assert len(closed) == 1
    busy.may_answer.set()
    await busy.answers(1)
    for oldest in (second, new):
        Connection(places).send(GET)
        assert oldest.transport.is_closing()
    assert not busy.transport.is_closing(), "it waited for its answer until now"


@in_loop
async def test_a_request_without_room_is_marked_and_its_connection_ends() -> None:
    places = Places(2)
    busy = Connection(places)
    busy.send_unanswered(GET)
    refused = Connection(places)
    refused.send(GET)
    assert b"connection: close" in (await refused.closed()).lower()
    assert refused.scopes[0][CROWDED] is True
    assert not busy.transport.is_closing()
    assert CROWDED not in busy.scopes[0]


@in_loop
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
async def test_who_hangs_up_gives_the_place_back(error: Exception | None) -> None:
    places = Places(2)
    gone, silent, new = (Connection(places) for _ in range(3))
    gone.send_unanswered(GET)
    for one in (silent, gone):
        one.protocol.connection_lost(error)
    new.send(GET)
    await new.answers(1)
    assert CROWDED not in new.scopes[0]


@in_loop
async def test_a_request_on_its_way_arrives_though_others_come() -> None:
    places = Places(4)
    on_its_way = Connection(places)
    others = [Connection(places) for _ in range(spare_connections(4))]
    on_its_way.send(GET)
    await on_its_way.answers(1)
    assert not any(other.transport.is_closing() for other in others)


@in_loop
async def test_connections_without_a_request_are_bounded_and_keep_no_request_out() -> None:
    places = Places(4)
    asked = Connection(places)
    asked.send(GET)
    await asked.answers(1)
    silent = [Connection(places) for _ in range(100)]
    kept = 4 + spare_connections(4) - 2  # one is the one that asked, and all stay below the sum
    assert [one.transport.is_closing() for one in silent] == [True] * (100 - kept) + [False] * kept
    assert not asked.transport.is_closing()
    silent[-1].send(GET)
    await silent[-1].answers(1)
    assert CROWDED not in silent[-1].scopes[0]


@in_loop
async def test_who_is_refused_goes_last_of_those_without_a_place() -> None:
    places = Places(2)
    busy = Connection(places)
    busy.send_unanswered(GET)
    refused = [Connection(places) for _ in range(spare_connections(2) - 1)]
    for one in refused:
        one.send_unanswered(GET)
    silent, last = Connection(places), Connection(places)
    assert silent.transport.is_closing()
    last.send(GET)
    Connection(places)
    assert [one.transport.is_closing() for one in refused] == [True] + [False] * (len(refused) - 1)
    assert not busy.transport.is_closing()
    for one in (busy, last, *refused[1:]):
        one.may_answer.set()
        await one.answers(1)


@in_loop
async def test_stopping_lets_a_request_on_its_way_arrive() -> None:
    rests, comes, silent = Connection(), Connection(), Connection()
    rests.send(GET)
    await rests.answers(1)
    comes.send(GET[:10])
    for connection in (rests, comes, silent):
        connection.protocol.shutdown()
    assert rests.transport.is_closing()
    assert not comes.transport.is_closing()
    comes.send(GET[10:])
    written = await comes.closed()
    assert written.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in written.lower()
    await silent.closed()


@in_loop
async def test_a_lost_connection_has_no_timers() -> None:
    connection = Connection()
    connection.protocol.pause_writing()
    connection.protocol.connection_lost(None)
    assert connection.protocol._read_timer is None
    assert connection.protocol._write_timer is None
