"""How long a client can hold a connection, in each of its states."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from tests.support.raw_http import GOOD, HEAD, HEALTH, assert_serves, connect, seconds_until_closed, send
from tests.support.server import RunningServer

from crossguard.bundle import Bundle

LONGEST_S = 8.0
SCORE = HEAD + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD


@pytest.fixture(scope="module")
def impatient(tiny_bundle: Bundle) -> Iterator[RunningServer]:
    with RunningServer(
        tiny_bundle.folder,
        drain_s=0,
        header_timeout_s=1,
        body_timeout_s=1,
        request_timeout_s=2,
        keep_alive_s=1,
        send_timeout_s=1,
        max_connections=30,
    ) as running:
        yield running


HOLDS = {
    "nothing sent": (b"", b""),
    "blank lines": (b"", b"\r\n"),
    "dribbled headers": (b"GET / HTTP/1.1\r\nx: ", b"y"),
    "dribbled body": (HEAD + b"content-length: 9999\r\n\r\n", b"y"),
    "dribbled trailers": (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y"),
    "dribbled trailers of a health check": (HEALTH[:-2] + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y"),
    "silence after an answer": (HEALTH, b""),
    "one byte after an answer": (HEALTH + b"G", b""),
    "blank lines after an answer": (HEALTH, b"\r\n"),
    "dribbled body after an answer": (HEALTH[:-2] + b"content-length: 9999\r\n\r\n", b"y"),
    "dribbled body after a refusal": (HEAD[:-2] + b"\r\ncontent-encoding: br\r\ncontent-length: 9999\r\n\r\n", b"y"),
    "a second request that never ends": (SCORE + HEAD, b"x"),
    "an upgrade that never ends": (HEALTH[:-2] + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n", b""),
}


@pytest.mark.parametrize(("first", "dribble"), HOLDS.values(), ids=HOLDS)
def test_no_state_of_a_connection_lasts(impatient: RunningServer, first: bytes, dribble: bytes) -> None:
    with connect(impatient) as connection:
        connection.sendall(first)
        assert seconds_until_closed(connection, dribble) < LONGEST_S


def test_an_answer_that_nobody_reads_is_given_up(impatient: RunningServer) -> None:
    before = impatient.metric("process_open_fds")
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            raw = stack.enter_context(socket.socket())
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(1)
            raw.connect(("127.0.0.1", impatient.port))
            ask = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n"
            with contextlib.suppress(OSError):
                for _ in range(400):
                    raw.sendall(ask)
        end = time.monotonic() + LONGEST_S
        while impatient.metric("process_open_fds") > before + 2 and time.monotonic() < end:
            time.sleep(0.2)
        assert impatient.metric("process_open_fds") <= before + 2
    assert_serves(impatient)


@pytest.mark.parametrize("first", [b"", HEALTH, HEALTH + b"G", HEAD])
def test_whoever_only_holds_connections_locks_nobody_out(impatient: RunningServer, first: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            held = stack.enter_context(connect(impatient))
            with contextlib.suppress(OSError):
                held.sendall(first)
                if first.startswith(HEALTH):
                    held.recv(1)  # only an answered connection is merely held; thirty unanswered ones are a full house
        assert_serves(impatient)


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket", b"foo/2, h2c"])
def test_an_upgrade_is_ignored_and_the_body_read(impatient: RunningServer, upgrade: bytes) -> None:
    asked = b"connection: Upgrade, HTTP2-Settings, close\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\nupgrade: %b\r\n"
    body = b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD
    chunks = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    for pieces in ([HEAD + asked % upgrade + body], [HEAD, asked % upgrade, chunks], [HEAD + asked % upgrade, body]):
        answer = send(impatient, *pieces, pause=0.05)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert b'"status":"scored"' in answer
    assert send(impatient, b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("request_", [SCORE, SCORE * 3, HEALTH], ids=["one", "three", "health"])
def test_a_half_closed_client_gets_its_answer(impatient: RunningServer, request_: bytes) -> None:
    answer = send(impatient, request_, half_close=True)
    assert answer.count(b"HTTP/1.1 200") == max(1, request_.count(b"POST"))
