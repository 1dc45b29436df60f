"""Reads request bodies under caps of size, time, and memory over all requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.message import Message
from typing import Final, Self

from starlette.requests import Request

from crossguard.serving.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    ClientDisconnected,
    Overloaded,
    UnsupportedBody,
)
from crossguard.serving.rates import Pace
from crossguard.serving.settings import MEBI, ServeSettings

# How much of a refused body is still read, so that the caller gets to see the answer rather than a broken pipe.
DISCARDED_BYTES = 64 * MEBI
DISCARDED_SECONDS = 2.0
# Over all refused bodies together: who is over a rate, or has no key, must not keep the event loop busy by sending.
DISCARDED_PER_SECOND = 32 * MEBI
# Bodies that are read before anybody's key has been seen: each of them, and all together.
OPEN_BODY_BYTES = 4 * MEBI
OPEN_BUDGET_BYTES = 16 * MEBI

CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
}


@dataclass(slots=True)
class BodyBudget:
    """The bytes of all bodies that the service holds."""

    limit: int
    held: int = 0


class BodyHold:
    """A share of the budget that is given back at the end of a block."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self, size: int) -> None:
        """Adds bytes; raises Overloaded where there is no room for them now."""
        if self._budget.held + size > self._budget.limit:
            raise Overloaded("The memory for request bodies is full. Try again in 1 s.", retry_after=1)
        self._budget.held += size
        self._held += size

    def release(self) -> None:
        """Gives all back."""
        self._budget.held -= self._held
        self._held = 0


class BodyReader:
    """Reads the body of one request.

    Args:
        request: Whose body.
        settings: The caps.
        budget: Where the bytes count until `release`.
        discards: Paces what is read of refused bodies.
    """

    def __init__(self, request: Request, settings: ServeSettings, budget: BodyBudget, discards: Pace) -> None:
        self._request = request
        self._settings = settings
        self._max_bytes = settings.max_body_bytes
        self._hold = BodyHold(budget)
        self._discards = discards
        self._finished = False
        # Such a client sends its body only when it is asked for, which the first reading does.
        self._withheld = request.headers.get("expect", "").lower() == "100-continue"

    def narrow(self, max_bytes: int, budget: BodyBudget) -> None:
        """Puts a body that has not been read under a smaller cap and into another budget."""
        self._max_bytes = min(max_bytes, self._max_bytes)
        self._hold = BodyHold(budget)

    async def read(self) -> bytes:
        """Returns the body; call it once.

        Raises:
            BodyTimeout: It came too slowly.
            UnsupportedBody: It is compressed.
        """
        encoding = self._request.headers.get("content-encoding", "identity").strip().lower()
        if encoding != "identity":
            raise UnsupportedBody(f"Bodies must not be compressed, and this one is '{encoding[:40]}'.")
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal():
            self._check_size(int(declared))
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                while not self._finished:
                    chunk = await self._chunk()
                    self._check_size(len(body) + len(chunk))
                    self._hold.take(len(chunk))
                    if self._finished and not body:
                        return chunk  # nearly always: nothing is copied
                    body += chunk
        except TimeoutError:
            raise BodyTimeout(f"The body did not arrive within {self._settings.body_timeout_s:g} s.") from None
        return bytes(body)

    async def discard(self) -> bool:
        """Reads on for a while without keeping anything; returns whether the end was reached.

        Closing on a caller who is still sending would hide the answer behind a broken connection.
        """
        seen = 0
        if self._withheld:
            return False
        try:
            async with asyncio.timeout(DISCARDED_SECONDS):
                while not self._finished:
                    chunk = await self._chunk()
                    seen += len(chunk)
                    if seen > DISCARDED_BYTES:
                        return False
                    # Meanwhile the connection takes no more than its buffer, and the kernel stops the sender.
                    await self._discards.wait(len(chunk))
        except (TimeoutError, ClientDisconnected):
            return False
        return True

    def release(self) -> None:
        """Gives the memory back."""
        self._hold.release()

    async def _chunk(self) -> bytes:
        """Returns what comes next; a generator that is left early would be closed by a task of its own."""
        self._withheld = False
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected("The client disconnected.")
        self._finished = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise BodyTooLarge(f"A body may have {self._max_bytes:,} bytes here; this one has more.")


def charset_of(request: Request) -> str:
    """Returns the character set of a body's text, as Python names it.

    Raises:
        UnsupportedBody: Another one than those that callers really use; some codecs take quadratic time.
    """
    content_type = request.headers.get("content-type", "")
    if "charset" not in content_type.lower():
        return "utf-8"
    header = Message()
    header["content-type"] = content_type
    name = str(header.get_param("charset") or "utf-8").strip().lower()
    if name not in CHARSETS:
        known = ", ".join(CHARSETS)
        raise UnsupportedBody(f"The character set '{name[:40]}' is not read here. Send UTF-8 (or: {known}).")
    return CHARSETS[name]


def decoded(text: bytes, charset: str) -> str:
    """Returns bytes of a body as text.

    Raises:
        BadRequest: They are not of that character set; guessing another would score another text.
    """
    try:
        return text.decode(charset)
    except UnicodeDecodeError as error:
        raise BadRequest(f"The text is not valid {charset} at byte {error.start}.", code="invalid_text") from None
