"""How much work the service holds: beyond a limit, requests are refused and told when to come back."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from crossguard.errors import number_of
from crossguard.serving.errors import Overloaded

LONGEST_RETRY_S: Final = 30
REMEMBERED: Final = 64
"""Answered requests whose rate tells how long the queue takes."""


class Admission:
    """Counts the posts that were accepted and not yet answered, long ones as several.

    Args:
        limit: The most.

    Attributes:
        pending: How many there are.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answered: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self.pending = 0

    @contextlib.contextmanager
    def hold(self, posts: int, cost: int) -> Iterator[None]:
        """Counts posts for the time of a block.

        Args:
            posts: How many there are; a request may not have more of them than the limit.
            cost: Of all of them. More than half of the limit counts as half of it, so that no request is too long to be
                ever answered.

        Raises:
            Overloaded: There is no room for them now.
        """
        counted = max(posts, min(cost, self._limit // 2))
        if self.pending + counted > self._limit:
            seconds = self._retry_s()
            raise Overloaded(
                f"The queue is full ({self.pending} of {number_of(self._limit, 'post')}). Try again in {seconds} s.",
                retry_after=seconds,
            )
        self.pending += counted
        try:
            yield
        finally:
            self.pending -= counted
            self._answered.append((time.monotonic(), counted))

    def _retry_s(self) -> int:
        """Returns in how many seconds what is pending will be answered, as fast as the last requests were."""
        posts = sum(count for _, count in self._answered)
        if not posts:
            return 1
        seconds = (time.monotonic() - self._answered[0][0]) / posts * self.pending
        return min(LONGEST_RETRY_S, max(1, math.ceil(seconds)))
