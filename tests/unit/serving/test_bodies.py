from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request

from crossguard.serving.bodies import BodyBudget, BodyReader
from crossguard.serving.errors import (
    ApiError,
    BodyTimeout,
    BodyTooLarge,
    ClientDisconnected,
    Overloaded,
    UnsupportedBody,
)
from crossguard.serving.rates import Pace
from crossguard.serving.settings import MEBI, ServeSettings

SETTINGS = ServeSettings(max_body_bytes=2048, max_buffered_bytes=4096, body_timeout_s=0.2)


def reader(
    chunks: Sequence[bytes | None], budget: BodyBudget, discards: Pace | None = None, /, **headers: str
) -> BodyReader:
    """A reader of chunks; None is a caller who hangs up, and after the last chunk nothing ever comes."""
    messages: list[dict[str, Any]] = [
        {"type": "http.disconnect"} if chunk is None else {"type": "http.request", "body": chunk, "more_body": True}
        for chunk in chunks
    ]
    if messages and messages[-1]["type"] == "http.request":
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.sleep(3600)
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return BodyReader(Request(scope, receive), SETTINGS, budget, discards or Pace(MEBI))


def test_a_body_is_counted_until_it_is_released() -> None:
    budget = BodyBudget(4096)
    body = reader([b"a" * 1000, b"b" * 1000], budget)
    assert asyncio.run(body.read()) == b"a" * 1000 + b"b" * 1000
    assert budget.held == 2000
    body.release()
    body.release()
    assert budget.held == 0


@pytest.mark.parametrize(
    ("chunks", "headers", "expected"),
    [
        ([b"a" * 2000, b"b" * 100], {}, BodyTooLarge),
        ([b"a"], {"content_length": "9999"}, BodyTooLarge),
        ([b"a"], {"content_encoding": "gzip"}, UnsupportedBody),
        ([], {}, BodyTimeout),
    ],
)
def test_what_is_refused(chunks: list[bytes], headers: dict[str, str], expected: type[ApiError]) -> None:
    budget = BodyBudget(4096)
    body = reader(chunks, budget, **headers)
    with pytest.raises(expected):
        asyncio.run(body.read())
    body.release()
    assert budget.held == 0


def test_the_memory_of_all_bodies_is_capped() -> None:
    budget = BodyBudget(4096)
    held = [reader([b"a" * 2048], budget) for _ in range(3)]
    asyncio.run(held[0].read())
    asyncio.run(held[1].read())
    with pytest.raises(Overloaded) as refused:
        asyncio.run(held[2].read())
    assert refused.value.retry_after == 1
    held[0].release()
    assert len(asyncio.run(reader([b"a" * 2048], budget).read())) == 2048


def test_the_rest_of_a_refused_body_is_read_so_that_the_answer_arrives() -> None:
    async def refuse_and_discard(body: BodyReader) -> bool:
        with pytest.raises(BodyTooLarge):
            await body.read()
        return await body.discard()

    assert asyncio.run(refuse_and_discard(reader([b"a" * 3000, b"b" * 3000, b"c"], BodyBudget(9000))))
    assert asyncio.run(refuse_and_discard(reader([b"a" * 3000], BodyBudget(9000))))
    assert not asyncio.run(refuse_and_discard(reader([b"a" * 3000, None], BodyBudget(9000))))


def test_the_rest_of_a_refused_body_is_read_no_faster_than_agreed() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    pace = Pace(1000, lambda: 0.0, sleep)
    assert asyncio.run(reader([b"a" * 1000, b"b" * 500], BodyBudget(9000), pace).discard())
    assert waited == [1.0, 1.5]


def test_a_caller_who_hangs_up_is_noticed() -> None:
    with pytest.raises(ClientDisconnected):
        asyncio.run(reader([b"a", None], BodyBudget(4096)).read())
