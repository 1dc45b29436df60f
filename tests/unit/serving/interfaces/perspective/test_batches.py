"""Batches of Google's client libraries: what they may hold, and what each of their requests gets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.types import Message
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.records import Decision, Post
from crossguard.serving.app import create_app
from crossguard.serving.errors import BadRequest, BodyTooLarge
from crossguard.serving.interfaces.perspective.batches import MAX_CALLS, split
from crossguard.serving.service import Service


def part(head: bytes, body: bytes = b"{}") -> bytes:
    return b"--b\r\ncontent-type: application/http\r\ncontent-id: <one>\r\n\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


def answer_of(http: TestClient, body: bytes) -> httpx2.Response:
    return http.post("/batch", content=body, headers={"content-type": "multipart/mixed; boundary=b"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--",
        b"--b\r\n\r\n--b--",
        b"--b\r\ncontent-type: application/http\r\n\r\nGET\r\n\r\n--b--",
        b"--b\r\n" + b"x" * 70_000 + b"\r\n\r\nPOST / HTTP/1.1\r\n\r\n--b--",
        b"--b" * 5000,
    ],
)
def test_broken_batches_are_refused(perspective: TestClient, body: bytes) -> None:
    answer = answer_of(perspective, body)
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["status"] in {"INVALID_ARGUMENT", "OUT_OF_RANGE"}


def test_a_batch_reaches_nothing_but_comments(perspective: TestClient) -> None:
    targets = (
        *("/batch", "/metrics", "/v1/admin/reload", "/v1/score", "http://a.example/v1alpha1/comments:analyse"),
        *("//[/v1alpha1/comments:analyze", "http://[x/", "http://a.example"),
    )
    parts = b"".join(part(f"POST {target} HTTP/1.1".encode()) for target in targets)
    answer = answer_of(perspective, parts + b"--b--")
    assert answer.text.count("HTTP/1.1 404") == len(targets)


def test_whole_addresses_are_answered_as_googles_client_for_java_writes_them(perspective: TestClient) -> None:
    line = b"POST https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze?alt=json HTTP/1.1"
    body = part(line, b'{"comment": {"text": "hello"}, "requestedAttributes": {"TOXICITY": {}}}') + b"--b--"
    answer = answer_of(perspective, body)
    assert "HTTP/1.1 200" in answer.text, answer.text


def test_a_part_is_read_with_the_headers_that_are_its_own() -> None:
    head = b"post /v1alpha1/comments:analyze?key=k HTTP/1.1\r\nAuthorization: Bearer k\r\nCookie: c\r\nhost: evil"
    (inner,) = split(part(head, b'{"a": 1}') + b"--b--", "b")
    assert (inner.name, inner.method, inner.target) == ("one", "POST", "/v1alpha1/comments:analyze?key=k")
    assert inner.headers == [(b"authorization", b"Bearer k")]
    assert inner.body == b'{"a": 1}'


def test_bare_line_feeds_are_read_too_and_a_part_without_a_name_has_its_number() -> None:
    found = split(b"--b\ncontent-type: application/http\n\nGET /x HTTP/1.1\n\n--b--", "b")
    assert [(inner.name, inner.method, inner.body) for inner in found] == [("0", "GET", b"")]


def test_what_is_no_batch_is_refused() -> None:
    with pytest.raises(BadRequest, match="name its boundary"):
        split(b"--b--", "")
    with pytest.raises(BadRequest, match="end with its boundary"):
        split(part(b"GET /"), "b")
    with pytest.raises(BadRequest, match="Part 2 of the batch"):
        split(part(b"GET /") + part(b"GET") + b"--b--", "b")
    assert len(split(part(b"GET /") * MAX_CALLS + b"--b--", "b")) == MAX_CALLS
    with pytest.raises(BodyTooLarge, match=f"{MAX_CALLS} requests"):
        split(part(b"GET /") * (MAX_CALLS + 1) + b"--b--", "b")


def test_each_request_of_a_batch_needs_a_key_of_its_own(attributed: Moderator) -> None:
    http = client_of(service_of(attributed, {"known": {}}))
    body = b'{"comment": {"text": "hello"}, "requestedAttributes": {"TOXICITY": {}}}'
    heads = [
        b"POST /v1alpha1/comments:analyze?key=%b HTTP/1.1\r\ncontent-type: application/json" % key
        for key in (b"known", b"other")
    ]
    content = b"".join(part(head, body) for head in heads) + b"--b--"
    answer = http.post("/batch", content=content, headers={"content-type": 'multipart/mixed; boundary="b"'})
    assert answer.status_code == 200
    assert answer.text.index("HTTP/1.1 200 OK") < answer.text.index("HTTP/1.1 401 Unauthorized")
    assert answer.text.count("content-id: <response-one>") == 2
    assert http.post("/batch", json={}).status_code == 415


def comments(*texts: bytes) -> bytes:
    line = b"POST /v1alpha1/comments:analyze HTTP/1.1\r\ncontent-type: application/json"
    asked = b'{"comment": {"text": "%b"}, "requestedAttributes": {"TOXICITY": {}}}'
    return b"".join(part(line, asked % text) for text in texts) + b"--b--"


@pytest.fixture
def slow(attributed: Moderator, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service that never answers for `slow`, and has three seconds for a request."""
    service = service_of(attributed, request_timeout_s=3)
    score = service.score

    async def late(moderator: Moderator, posts: Sequence[Post], *args: Any, **options: Any) -> list[Decision]:
        if posts[0].text == "slow":
            await asyncio.Event().wait()
        return await score(moderator, posts, *args, **options)

    monkeypatch.setattr(service, "score", late)
    return service


def counted(service: Service, status: int) -> float:
    labels = {"interface": "perspective", "status": str(status)}
    return service.telemetry.registry.get_sample_value("crossguard_requests_total", labels) or 0


def test_parts_that_are_late_cost_no_others(slow: Service) -> None:
    content = comments(b"hello", b"slow", b"good morning", *[b"slow"] * 70, b"never begun")
    answer = answer_of(client_of(slow), content)
    assert answer.status_code == 200
    assert answer.text.count("HTTP/1.1 200 OK") == 2
    assert answer.text.count("HTTP/1.1 504 Gateway Timeout") == 72
    assert (counted(slow, 200), counted(slow, 504)) == (3, 72)


def test_a_batch_ends_with_its_client(slow: Service) -> None:
    messages: list[Message] = [{"type": "http.request", "body": comments(b"slow", b"slow"), "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"multipart/mixed; boundary=b")]
    scope = {"type": "http", "method": "POST", "path": "/batch", "query_string": b"", "headers": headers}
    asyncio.run(create_app(slow)(scope, receive, send))
    assert sent[0]["status"] == 499
    assert counted(slow, 499) == 3, "the batch and its parts"
