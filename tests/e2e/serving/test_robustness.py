"""Hostile and clumsy callers: every connection gets an answer or is closed, and the next request is served."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import socket
import time
from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.raw_http import GOOD, HEAD, HEALTH, assert_serves, connect, send
from tests.support.server import RunningServer

from crossguard.bundle import Bundle

PATHS = ["/v1/score", "/v1/score/batch", "/v1/moderations", "/v1alpha1/comments:analyze", "/invocations"]
FUZZ = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def impatient(tiny_bundle: Bundle) -> Iterator[RunningServer]:
    with RunningServer(
        tiny_bundle.folder, drain_s=0, header_timeout_s=0.6, body_timeout_s=0.6, max_connections=40, keep_alive_s=1
    ) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"\\ud800"',
        b"\xff\xfe\x00",
        b'{"text": NaN}',
        b'{"text": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"text": "' + b"a" * 2_000_000 + b'"}',
        b'{"instances": [[[[]]]], "input": {"a": 1}, "posts": "x"}',
        b'{"input": [{"type": "image_url", "image_url": {"url": "data:,"}}]}',
        b'{"text": "a", "text": {}}',
        b"-----x\r\n\r\n",
    ],
    ids=range(15),
)
def test_broken_bodies_are_answered(server: RunningServer, client: httpx2.Client, path: str, body: bytes) -> None:
    for kind in ("application/json", "application/jsonlines", "multipart/form-data; boundary=x", "text/plain", ""):
        answer = client.post(path, content=body, headers={"content-type": kind})
        assert answer.status_code < 500, answer.text
        assert answer.headers["x-request-id"]
    assert_serves(server)


@FUZZ
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "text",
                        "image",
                        "images",
                        "posts",
                        "input",
                        "instances",
                        "comment",
                        "requestedAttributes",
                        "type",
                        "url",
                        "image_url",
                    ]
                )
                | st.text(),
                inner,
                max_size=4,
            )
        ),
    ),
    path=st.sampled_from(PATHS),
)
def test_no_json_makes_the_server_fail(client: httpx2.Client, body: object, path: str) -> None:
    content = json.dumps(body).encode()
    answer = client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text


@FUZZ
@given(noise=st.binary(max_size=400), boundary=st.text("ab-\"'; =", max_size=8))
def test_no_form_makes_the_server_fail(client: httpx2.Client, noise: bytes, boundary: str) -> None:
    edge = boundary.strip().encode()
    part = b'--%b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n--%b--\r\n' % (
        edge,
        noise,
        edge,
    )
    for body in (part, noise):
        kind = b"multipart/form-data; boundary=" + edge
        answer = client.post("/v1/score", content=body, headers={b"content-type": kind})
        assert answer.status_code < 500, answer.text


@FUZZ
@given(seed=st.integers(0, 2**32))
def test_no_mutilated_picture_makes_the_server_fail(client: httpx2.Client, red: bytes, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chooses bytes to spoil
    spoilt = bytearray(red[: chance.randrange(1, len(red) + 1)])
    for _ in range(chance.randrange(8)):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    answer = client.post("/v1/score", files={"image": ("a.png", bytes(spoilt))})
    assert answer.status_code in {200, 422}, answer.text


def test_a_bomb_is_refused_and_the_memory_stays(server: RunningServer, client: httpx2.Client, bomb_url: str) -> None:
    before = server.metric("process_resident_memory_bytes")
    for _ in range(20):
        assert client.post("/v1/score", json={"image": bomb_url}).status_code == 422
    assert server.metric("process_resident_memory_bytes") - before < 50 * 1024 * 1024


@pytest.mark.parametrize(
    "pieces",
    [
        [b"nonsense\r\n\r\n"],
        [b"\x00" * 1000],
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200],
        [b"GET / HTTP/9.9\r\n\r\n"],
        [HEAD + b"content-length: x\r\n\r\n" + GOOD],
        [HEAD + b"content-length: -5\r\n\r\n" + GOOD],
        [HEAD + b"content-length: 5\r\ncontent-length: 17\r\n\r\n" + GOOD],
        [HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"],
        [HEAD + b"x: " + b"y" * 300_000 + b"\r\n\r\n"],
        [b"POST /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n"],
        [HEAD + b"upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 0\r\n\r\n"],
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ],
    ids=range(12),
)
def test_what_is_not_http_is_answered_or_closed(impatient: RunningServer, pieces: list[bytes]) -> None:
    begun = time.monotonic()
    answer = send(impatient, *pieces)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert time.monotonic() - begun < 15
    assert_serves(impatient)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b""], b""),
        ([HEAD], b""),
        ([HEAD[:5], HEAD[5:9], HEAD[9:12], HEAD[12:15], HEAD[15:18]], b""),
        ([HEAD + b"content-length: 100\r\n\r\n{"], b"HTTP/1.1 408"),
        ([HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", b"1\r\na\r\n", b"1\r\na\r\n"], b"HTTP/1.1 408"),
    ],
    ids=["silence", "unfinished headers", "dribbled headers", "unfinished body", "dribbled body"],
)
def test_slow_callers_are_not_waited_for(impatient: RunningServer, pieces: list[bytes], expected: bytes) -> None:
    begun = time.monotonic()
    assert send(impatient, *pieces, pause=0.2)[: len(expected) or None] == expected
    assert time.monotonic() - begun < 15
    assert_serves(impatient)


def test_half_closed_and_dropped_connections(server: RunningServer) -> None:
    request = HEAD + b"content-length: 17\r\n\r\n" + GOOD
    for _ in range(20):
        answer = send(server, request, half_close=True)
        assert answer.startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request)
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(request[:-5])
    assert_serves(server)
    assert server.metric("crossguard_queue_posts") == 0
    assert server.metric("crossguard_buffered_bytes") == 0


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    bodies = [b'{"id": "%d", "text": "hello"}' % number for number in range(5)]
    requests = [HEAD + b"content-length: %d\r\n\r\n" % len(body) + body for body in bodies]
    last = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    answer = send(server, b"".join(requests) + last)
    found = [answer.find(b'"id":"%d"' % number) for number in range(5)]
    assert -1 not in found
    assert found == sorted(found)


def test_requests_beyond_the_connections_are_refused_and_probes_answered(tiny_bundle: Bundle) -> None:
    with RunningServer(tiny_bundle.folder, drain_s=0, max_connections=8) as running, contextlib.ExitStack() as stack:
        for _ in range(12):
            busy = stack.enter_context(connect(running))
            busy.sendall(HEAD + b"content-length: 100\r\n\r\n{")
        score = HEAD + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD
        for _ in range(30):
            answer = send(running, score).lower()
            assert answer.startswith(b"http/1.1 503")
            assert b"too_many_connections" in answer
            assert b"\r\nretry-after: 1\r\n" in answer
            assert b"\r\nx-request-id: " in answer
            assert send(running, HEALTH).startswith(b"HTTP/1.1 200")
        stack.close()
        assert_serves(running)


def test_idle_connections_beyond_the_usual_number_of_files_keep_nobody_out(tiny_bundle: Bundle) -> None:
    """A shell starts a process with few files (as on macOS here), which the server has to ask for more of."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        starting = RunningServer(tiny_bundle.folder, drain_s=0, max_connections=300)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with starting as running, contextlib.ExitStack() as stack:
        for _ in range(350):
            idle = stack.enter_context(connect(running))
            idle.sendall(HEALTH)
        assert_serves(running)
        assert not [line for line in running.lines if "out of system resource" in line]
