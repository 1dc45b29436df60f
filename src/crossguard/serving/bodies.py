"""Reads request bodies under caps of size, time, and memory over all requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from crossguard.serving.errors import BodyTimeout, BodyTooLarge, Overloaded, UnsupportedBody
from crossguard.serving.settings import MEBI, ServeSettings

# How much of a refused body is still read, so that the caller gets to see the answer rather than a broken pipe.
DISCARDED_BYTES = 64 * MEBI
DISCARDED_SECONDS = 2.0


class BodyBudget:
    """Counts the bytes of all bodies that the service holds."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Adds bytes.

        Raises:
            Overloaded: There is no room for them now.
        """
        if self.held + size > self._limit:
            raise Overloaded("The memory for request bodies is full. Try again in 1 s.", retry_after=1)
        self.held += size

    def give_back(self, size: int) -> None:
        """Removes bytes."""
        self.held -= size


async def read_body(request: Request, settings: ServeSettings, budget: BodyBudget) -> bytes:
    """Returns the body; its length stays in the budget until the caller of this function gives it back.

    Raises:
        BodyTimeout: It came too slowly.
        BodyTooLarge: It is over the cap.
        UnsupportedBody: It is compressed.
        Overloaded: There is no memory for it now.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise UnsupportedBody(f"Bodies must not be compressed, and this one is '{encoding[:40]}'.")
    stream = request.stream()
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            _check_declared(request, settings)
            return await _collect(stream, settings, budget)
    except BodyTooLarge:
        await _discard(stream)
        raise
    except TimeoutError:
        raise BodyTimeout(f"The body did not arrive within {settings.body_timeout_s:g} s.") from None


def _check_declared(request: Request, settings: ServeSettings) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal():
        _check_size(int(declared), settings)


async def _collect(stream: AsyncIterator[bytes], settings: ServeSettings, budget: BodyBudget) -> bytes:
    body = bytearray()
    try:
        async for chunk in stream:
            _check_size(len(body) + len(chunk), settings)
            budget.take(len(chunk))
            body += chunk
    except BaseException:
        budget.give_back(len(body))
        raise
    return bytes(body)


async def _discard(stream: AsyncIterator[bytes]) -> None:
    seen = 0
    try:
        async with asyncio.timeout(DISCARDED_SECONDS):
            async for chunk in stream:
                seen += len(chunk)
                if seen > DISCARDED_BYTES:
                    return
    except TimeoutError:
        return


def _check_size(size: int, settings: ServeSettings) -> None:
    if size > settings.max_body_bytes:
        raise BodyTooLarge(f"A body may have {settings.max_body_bytes / MEBI:g} MiB; this one has more.")
