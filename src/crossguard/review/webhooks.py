"""Sends what the outbox holds: signed as in the Standard Webhooks specification 1.0, again and again until received.

The id of a message stays the same over all attempts, so a receiver that remembers ids acts exactly once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import httpx2

from crossguard.review.signing import signature
from crossguard.review.store import deliveries
from crossguard.review.store.database import Database

TIMEOUT_S: Final = 10.0
LONGEST_BODY: Final = 64 * 1024
"""Bytes of an answer that are read, for at most `LONGEST_BODY_S`: nothing in them is used."""
LONGEST_BODY_S: Final = 1.0


class Sender:
    """Delivers messages to one address."""

    def __init__(self, database: Database, url: str, secret: str, transport: Any = None) -> None:
        self._database = database
        self._url = url
        self._secret = secret
        self._client = httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False, transport=transport)

    def deliver(self, clock: Callable[[], float] = time.time) -> int:
        """Tries every message that is due once; returns how many it tried."""
        with self._database.read() as db:
            waiting = deliveries.due(db, clock())
        return sum(self._try(message, clock) for message in waiting)

    def _try(self, message: Any, clock: Callable[[], float]) -> bool:
        now = clock()  # for each, as those before it may have taken minutes
        with self._database.write(durable=False) as tx:  # lost in a power cut, it is sent again under its id
            if not deliveries.reserve(tx, message.id, message.attempts, now + 2 * TIMEOUT_S):
                return False
        problem = self._post(message.id, message.body, int(now))
        with self._database.write(durable=False) as tx:
            if problem:
                deliveries.failed(tx, message.id, message.attempts + 1, clock(), problem)
            else:
                deliveries.delivered(tx, message.id, clock())
        return True

    def _post(self, name: str, body: str, seconds: int) -> str:
        """Sends one message; returns what went wrong, or nothing."""
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(self._secret, name, seconds, body),
        }
        try:
            with self._client.stream("POST", self._url, content=body.encode(), headers=headers) as answer:
                _finish(answer)
                return "" if answer.is_success else f"answered {answer.status_code}"
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:  # the last from names of hosts
            return f"{type(error).__name__}: {error}"


def _finish(answer: httpx2.Response) -> None:
    """Reads a short body, so that the connection serves the next message; one without end would keep all of these."""
    if answer.is_stream_consumed:
        return
    size, until = 0, time.monotonic() + LONGEST_BODY_S
    with contextlib.suppress(httpx2.HTTPError):  # the status is there, and says all
        for part in answer.iter_raw():
            size += len(part)
            if size > LONGEST_BODY or time.monotonic() > until:
                return
