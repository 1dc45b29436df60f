"""A steady rate for work that nobody needs soon, so that those who cause it cannot take the event loop from others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """Lets bytes pass at a steady rate, counted over all who ask.

    Args:
        per_second: Bytes.
        clock: Returns seconds; never goes back.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    async def wait(self, size: int) -> None:
        """Returns when these bytes, and all that were asked for before them, may have passed."""
        now = self._clock()
        self._free_at = max(now, self._free_at) + size / self._per_second
        await self._sleep(self._free_at - now)
