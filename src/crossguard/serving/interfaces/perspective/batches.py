"""Google's batches: a `multipart/mixed` body of requests, each of which walks through the service as if it came alone.

Google's client libraries write the key into each inner request and not into the outer one, so the outer body is read
from everybody: it has a small cap, and a small budget of memory of its own.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import re
import uuid
from dataclasses import dataclass
from email.message import Message as Headers
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import Message, Scope

from crossguard.serving.call import Call, while_connected
from crossguard.serving.endpoints import DEADLINE
from crossguard.serving.errors import BadRequest, BodyTooLarge, UnsupportedBody

MIXED: Final = "multipart/mixed"
MAX_CALLS: Final = 1000
"""Most requests in one batch, as at Google."""
AT_ONCE: Final = 64
RESERVE: Final = 0.1
"""Share of a batch's time in which no request of it is computed any more, so that those in time are answered."""
LEAST_RESERVE_S: Final = 1.0
"""Seconds that a thousand requests take at least to be refused; of a short time, half is for answers all the same."""
PATHS: Final = frozenset({"/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"})
BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
ORIGIN: Final = re.compile(r"^https?://[^/?]*")
"""Google's client for Java writes whole addresses."""
# What an inner request may bring along; the rest of its head is the outer one's business.
KEPT_HEADERS: Final = ("authorization", "content-type", "x-api-key")


@dataclass(frozen=True, slots=True)
class Inner:
    """A request inside a batch."""

    name: str  # its Content-ID, without the brackets
    method: str  # HTTP method
    target: str  # path and query, or a whole address
    headers: list[tuple[bytes, bytes]]  # those that are kept
    body: bytes  # what it sends


async def batch(call: Call) -> Response:
    """Answers each request of a batch in its place."""
    if call.content_type != MIXED:
        raise UnsupportedBody(f"A batch must be {MIXED}, and is '{call.content_type[:80]}'.")
    header = Headers()
    header["content-type"] = call.request.headers["content-type"]
    boundary = str(header.get_param("boundary") or "")
    inner = split(await call.body.read(), boundary)
    turns = asyncio.Semaphore(AT_ONCE)

    async def answer(request: Inner) -> bytes:
        async with turns:
            return _part(request.name, *await _ask(call, request))

    async with while_connected(call.request):
        parts = await asyncio.gather(*map(answer, inner))
    edge = f"batch_{uuid.uuid4().hex}"
    body = b"".join(b"--%b\r\n%b\r\n" % (edge.encode(), part) for part in parts) + f"--{edge}--\r\n".encode()
    return Response(body, headers={"content-type": f'{MIXED}; boundary="{edge}"'})


def split(body: bytes, boundary: str) -> list[Inner]:
    """Returns the requests of a batch.

    Raises:
        BadRequest: It is no batch, or a part of it is no request.
        BodyTooLarge: It has too many of them.
    """
    if not boundary:
        raise BadRequest("The content type of a batch must name its boundary.", code="invalid_batch")
    parts = body.split(b"--" + boundary.encode("utf-8", "replace"), MAX_CALLS + 2)[1:]
    if len(parts) > MAX_CALLS + 1:
        raise BodyTooLarge(f"A batch may have {MAX_CALLS} requests.")
    if not parts or not parts[-1].startswith(b"--"):
        raise BadRequest("The batch does not end with its boundary.", code="invalid_batch")
    return [_inner(part.strip(b"\r\n"), index) for index, part in enumerate(parts[:-1])]


def _inner(part: bytes, index: int) -> Inner:
    outer, request, body = [*BLANK_LINE.split(part, 2), b"", b""][:3]
    line, _, head = request.lstrip(b"\r\n").partition(b"\n")
    words = line.decode("latin-1").split()
    try:
        name = _headers(outer).get("content-id", str(index)).strip("<>")
        headers = _headers(head)
    except http.client.HTTPException:
        words, name, headers = [], "", Headers()
    if len(words) < 2:  # noqa: PLR2004 - method and target
        raise BadRequest(f"Part {index + 1} of the batch is no HTTP request.", code="invalid_batch")
    kept = [(key.encode(), headers[key].encode("latin-1", "replace")) for key in KEPT_HEADERS if key in headers]
    return Inner(name, words[0].upper(), words[1], kept, body)


def _headers(head: bytes) -> Headers:
    return http.client.parse_headers(io.BytesIO(head.strip(b"\r\n") + b"\r\n\r\n"))


async def _ask(call: Call, inner: Inner) -> list[Message]:
    """Sends one request through the whole service: its key, rate, log line and error shape are its own."""
    raw, _, query = ORIGIN.sub("", inner.target).partition("?")
    path = unquote(raw)
    known = path in PATHS
    scope: Scope = {
        **call.request.scope,
        "method": inner.method if known else "GET",
        # Anything else is answered as a path that does not exist, a batch in a batch above all.
        "path": path if known else "/v1alpha1/",
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": inner.headers,
        DEADLINE: call.deadline - _reserve(call.settings.request_timeout_s),
    }
    unread: list[Message] = [{"type": "http.request", "body": inner.body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if unread:
            return unread.pop()
        # Nobody hangs up on a part of a batch: when the outer request ends, this wait is cancelled.
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await call.request.app(scope, receive, send)
    return sent


def _reserve(seconds: float) -> float:
    return min(max(RESERVE * seconds, LEAST_RESERVE_S), seconds / 2)


def _part(name: str, start: Message, *rest: Message) -> bytes:
    body = b"".join(message.get("body", b"") for message in rest)
    kept = {b"content-type", b"retry-after", b"x-request-id"}
    lines = [
        b"content-type: application/http",
        b"content-id: <response-" + name.encode("latin-1", "replace") + b">",
        b"",
        f"HTTP/1.1 {start['status']} {HTTPStatus(start['status']).phrase}".encode(),
        *(key + b": " + value for key, value in start["headers"] if key in kept),
        b"content-length: %d" % len(body),
        b"",
        body,
    ]
    return b"\r\n".join(lines)
