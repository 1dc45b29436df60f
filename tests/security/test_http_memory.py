"""What a client without a key can make the service hold in memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
import yaml
from tests.support.raw_http import HEAD, HEALTH, MEBI, cap_memory, connect, peak_mebibytes, send
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.serving.keys import digest_of, new_key

CAP_MEBIBYTES = 1024
GROWTH_MEBIBYTES = 100
DEADLINE_S = 30


@pytest.fixture(scope="module")
def locked(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that asks for keys, and gives none of them to these tests."""
    keys = tmp_path_factory.mktemp("keys") / "keys.yaml"
    keys.write_text(yaml.safe_dump({"keys": {"a": {"sha256": digest_of(new_key())}}}))
    with RunningServer(tiny_bundle.folder, drain_s=0, keys_file=keys, body_timeout_s=5, request_timeout_s=5) as running:
        cap_memory(running, CAP_MEBIBYTES)
        yield running


def flood(server: RunningServer, head: bytes, piece: bytes, mebibytes: int) -> None:
    """Sends a piece over and over until so much is sent or the server closes."""
    with connect(server) as connection, contextlib.suppress(OSError):
        connection.sendall(head)
        for _ in range(mebibytes * MEBI // len(piece)):
            connection.sendall(piece)


GET_CHUNKED = b"GET /healthz HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
POST_CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
ATTACKS = {
    "trailers of a health check": (GET_CHUNKED, b"x: " + b"y" * 1000 + b"\r\n"),
    "one endless trailer": (GET_CHUNKED + b"x: ", b"y" * 65536),
    "trailers after a body": (POST_CHUNKED + b"1\r\na\r\n0\r\n", b"x: " + b"y" * 1000 + b"\r\n"),
    "short trailers": (GET_CHUNKED, b"a:b\r\n" * 1000),
    "chunk extensions": (POST_CHUNKED, b"1;" + b"x" * 30_000 + b"\r\na\r\n"),
    "one endless extension": (POST_CHUNKED + b"1;", b"x" * 65536),
    "an endless header": (b"GET / HTTP/1.1\r\nx: ", b"y" * 65536),
    "an endless target": (b"GET /", b"y" * 65536),
    "blank lines": (b"", b"\r\n" * 30_000),
    "pipelined requests": (b"", HEALTH * 2000),
    "pipelined requests for scores": (b"", (HEAD + b"content-length: 0\r\n\r\n") * 1000),
    "pipelined upgrades": (b"", b"GET / HTTP/1.1\r\nupgrade: a\r\nconnection: upgrade\r\n\r\n" * 1000),
    "a body without a key": (POST_CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
    "a body for a health check": (b"GET /healthz HTTP/1.1\r\ncontent-length: 9999999999\r\n\r\n", b"x" * 65536),
}


@pytest.mark.parametrize(("head", "piece"), ATTACKS.values(), ids=ATTACKS)
def test_no_part_of_a_request_fills_the_memory(locked: RunningServer, head: bytes, piece: bytes) -> None:
    before, begun = peak_mebibytes(locked), time.monotonic()
    flood(locked, head, piece, mebibytes=200)
    assert time.monotonic() - begun < DEADLINE_S
    assert peak_mebibytes(locked) - before < GROWTH_MEBIBYTES
    assert send(locked, HEALTH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")


def test_many_connections_at_once_stay_small(locked: RunningServer) -> None:
    before = peak_mebibytes(locked)
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(connect(locked))
            with contextlib.suppress(OSError):
                connection.sendall(POST_CHUNKED + b"8000\r\n" + b"x" * 30_000)
        assert peak_mebibytes(locked) - before < GROWTH_MEBIBYTES


@pytest.mark.parametrize("trailer", [b"authorization: Bearer x", b"x-api-key: x\r\nhost: b"])
def test_a_trailer_changes_nothing(locked: RunningServer, trailer: bytes) -> None:
    trailed = POST_CHUNKED + b"1\r\na\r\n0\r\n%b\r\n\r\n" % trailer
    answers = send(locked, trailed + HEALTH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
    assert answers.startswith(b"HTTP/1.1 401")
    assert answers.count(b"HTTP/1.1 200") == 1


def test_a_trailer_cannot_ask_for_another_protocol(locked: RunningServer) -> None:
    trailed = POST_CHUNKED + b"1\r\na\r\n0\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    assert send(locked, trailed + HEALTH).startswith(b"HTTP/1.1 401")
