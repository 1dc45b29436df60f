"""What other threads compute, handed to the event loop: all that is ready in one turn.

A batch answers some twenty requests at once. Woken for each, as by `asyncio.wrap_future`, the loop would take the
interpreter after the first of them from the thread that answers the others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Answers:
    """Awaits futures of threads, in one event loop."""

    def __init__(self) -> None:
        self._ready: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._waking = False

    async def of(self, computed: Future[T]) -> T:
        """Returns what a thread computes; cancels it where nobody waits any more."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def done(computed: Future[T]) -> None:
            self._ready.append((answer, computed))
            # Set back before what is ready is taken, so that nothing stays.
            if not self._waking:
                self._waking = True
                with contextlib.suppress(RuntimeError):  # the loop was closed
                    loop.call_soon_threadsafe(self._deliver)

        computed.add_done_callback(done)
        try:
            return await answer
        finally:
            computed.cancel()

    def _deliver(self) -> None:
        self._waking = False
        while self._ready:
            answer, computed = self._ready.popleft()
            if answer.done():
                continue
            if computed.cancelled():
                answer.cancel()
            elif (error := computed.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(computed.result())
