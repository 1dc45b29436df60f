"""Sends what the outbox holds: signed as in the Standard Webhooks specification 1.0, again and again until received.

The id of a message stays the same over all attempts, so a receiver that remembers ids acts exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

import httpx2

from crossguard.review.signing import signature
from crossguard.review.store import deliveries
from crossguard.review.store.database import Database

TIMEOUT_S: Final = 10.0
DEADLINE_S: Final = 15.0
"""For a message in all, less than it is reserved: a receiver may begin an answer again and again, or byte by byte."""
RESERVED_S: Final = 2 * TIMEOUT_S
MOST_LOOKUPS: Final = 8
LONGEST_BODY: Final = 64 * 1024
"""Bytes of an answer that are read, for at most `LONGEST_BODY_S`: nothing in them is used."""
LONGEST_BODY_S: Final = 1.0
P = ParamSpec("P")
T = TypeVar("T")


class _Lookups(ThreadPoolExecutor):
    """Looks up names of hosts, which may hang and cannot be ended: neither a loop nor the process waits for it to end.

    Each call has a thread of its own, `MOST_LOOKUPS` at once.
    """

    def __init__(self) -> None:
        super().__init__(MOST_LOOKUPS)
        self._free = threading.Semaphore(MOST_LOOKUPS)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begins a lookup.

        Raises:
            OSError: Too many hang.
        """
        if not self._free.acquire(blocking=False):
            raise OSError(f"{MOST_LOOKUPS} lookups of the host's name have not ended")
        found: Future[T] = Future()

        def look_up() -> None:
            try:
                if found.set_running_or_notify_cancel():
                    found.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - it is raised where the lookup is waited for
                found.set_exception(error)
            finally:
                self._free.release()

        threading.Thread(target=look_up, name="crossguard-lookup", daemon=True).start()
        return found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leaves lookups to themselves when a loop ends."""


class Sender:
    """Delivers messages to one address."""

    def __init__(self, database: Database, url: str, secret: str, transport: Any = None) -> None:
        self._database = database
        self._url = url
        self._secret = secret
        self._lookups = _Lookups()
        # To read all authorities takes longer than to send.
        self._connecting = {"transport": transport} if transport else {"verify": httpx2.create_ssl_context()}

    def deliver(self, clock: Callable[[], float] = time.time) -> int:
        """Tries every message that is due once; returns how many it tried."""
        with self._database.read() as db:
            waiting = deliveries.due(db, clock())
        return asyncio.run(self._deliver(waiting, clock)) if waiting else 0

    async def _deliver(self, waiting: Sequence[Any], clock: Callable[[], float]) -> int:
        """Sends one after the other, in a loop of events so that what takes too long can be ended."""
        asyncio.get_running_loop().set_default_executor(self._lookups)
        async with httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, **self._connecting) as client:
            return sum([await self._try(client, message, clock) for message in waiting])

    async def _try(self, client: httpx2.AsyncClient, message: Any, clock: Callable[[], float]) -> bool:
        now = clock()  # for each, as those before it may have taken minutes
        with self._database.write(durable=False) as tx:  # lost in a power cut, it is sent again under its id
            body = deliveries.reserve(tx, message.id, message.attempts, now + RESERVED_S)
        if body is None:
            return False
        problem = await self._post(client, message.id, body, int(now))
        with self._database.write(durable=False) as tx:
            if problem:
                deliveries.failed(tx, message.id, message.attempts + 1, clock(), problem)
            else:
                deliveries.delivered(tx, message.id, clock())
        return True

    async def _post(self, client: httpx2.AsyncClient, name: str, body: str, seconds: int) -> str:
        """Sends one message; returns what went wrong, or nothing."""
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(seconds),
            "webhook-signature": signature(self._secret, name, seconds, body),
        }
        try:
            async with (
                asyncio.timeout(DEADLINE_S),
                client.stream("POST", self._url, content=body.encode(), headers=headers) as answer,
            ):
                await _finish(answer)
                return "" if answer.is_success else f"answered {answer.status_code}"
        except TimeoutError:
            return f"not answered within {DEADLINE_S:.0f} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:  # the last from names of hosts
            return f"{type(error).__name__}: {error}"


async def _finish(answer: httpx2.Response) -> None:
    """Reads a short body, so that the connection serves the next message; one without end would keep all of these."""
    if answer.is_stream_consumed:
        return
    size = 0
    with contextlib.suppress(httpx2.HTTPError, TimeoutError):  # the status is there, and says all
        async with asyncio.timeout(LONGEST_BODY_S):
            async for part in answer.aiter_raw():
                size += len(part)
                if size > LONGEST_BODY:
                    return
