"""Rates: no minute, wherever it begins, holds more posts of a caller than its rate allows; and a pace for bytes.

A post counts as one or, with a long text or several images, as several (`crossguard.cost`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Final

from crossguard.errors import number_of
from crossguard.serving.errors import TooManyPosts

WINDOW_S: Final = 60.0
RESOLUTION_S: Final = 1.0
"""What is reserved within this time is remembered as one entry, so that a caller costs at most 61 of them."""
MAX_CALLERS: Final = 10_000
"""Callers that are remembered; client addresses may be many, and those seen longest ago are forgotten first."""


class RateLimiter:
    """Counts the posts of callers; `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def reserve(self, caller: str, per_minute: int, posts: int = 1) -> None:
        """Counts posts before anything is spent on them.

        Args:
            caller: Whose.
            per_minute: The most in a minute; 0 is unlimited.
            posts: What they count as, 1 to `per_minute`.

        Raises:
            TooManyPosts: The minute is full; nothing is counted.
        """
        if per_minute == 0:
            return
        self.check(caller, per_minute, posts)
        window = self._windows.setdefault(caller, _Window())
        while len(self._windows) > MAX_CALLERS:
            self._windows.popitem(last=False)
        window.add(self._clock(), posts)

    def check(self, caller: str, per_minute: int, posts: int = 1) -> None:
        """Raises TooManyPosts where `reserve` would, and counts nothing."""
        if per_minute == 0 or caller not in self._windows:
            return
        self._windows.move_to_end(caller)
        seconds = self._windows[caller].wait(self._clock(), per_minute, posts)
        if seconds > 0:
            wait = math.ceil(seconds)
            told = f" This request needs {posts} more: long texts and further images count." if posts > 1 else ""
            raise TooManyPosts(
                f"Over {number_of(per_minute, 'post')} per minute.{told} Try again in {wait} s.", retry_after=wait
            )

    def give_back(self, caller: str, posts: int) -> None:
        """Removes posts that were counted a moment ago and then refused for a reason of ours."""
        if caller in self._windows:
            self._windows[caller].remove(posts)


class Pace:
    """Lets bytes pass at a steady rate, counted over all who ask: for work that nobody needs soon.

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


class _Window:
    """The posts of the last minute, oldest first, with the time of the last post of each entry."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, float, int]] = deque()  # first time, last time, posts
        self._total = 0

    def wait(self, now: float, limit: int, posts: int) -> float:
        """Returns after how many seconds so many posts fit; 0 when they do now."""
        while self._entries and self._entries[0][1] + WINDOW_S <= now:
            self._total -= self._entries.popleft()[2]
        excess, seconds = self._total + posts - limit, 0.0
        for _, last, count in self._entries:
            if excess <= 0:
                break
            excess -= count
            seconds = last + WINDOW_S - now
        return seconds

    def add(self, now: float, posts: int) -> None:
        self._total += posts
        if self._entries and now - self._entries[-1][0] < RESOLUTION_S:
            first, _, count = self._entries.pop()
            self._entries.append((first, now, count + posts))
        else:
            self._entries.append((now, now, posts))

    def remove(self, posts: int) -> None:
        while posts and self._entries:
            first, last, count = self._entries.pop()
            taken = min(posts, count)
            posts -= taken
            self._total -= taken
            if count > taken:
                self._entries.append((first, last, count - taken))
