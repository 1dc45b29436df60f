"""Rates per caller: a token bucket that may run into debt.

A request passes while the bucket holds anything, and pays for all of its posts, so that a batch larger than the bucket
is delayed and never impossible. Bucket size and refill are one minute's posts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS_PER_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """Counts posts per caller.

    Args:
        clock: Returns seconds; never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, caller: str, per_minute: int) -> int:
        """Returns 0 when the caller may send posts now, else after how many seconds; 0 `per_minute` is unlimited."""
        if per_minute == 0:
            return 0
        bucket = self._refilled(caller, per_minute)
        if bucket.tokens > 0:
            return 0
        return max(1, math.ceil((1 - bucket.tokens) * SECONDS_PER_MINUTE / per_minute))

    def spend(self, caller: str, per_minute: int, posts: int) -> None:
        """Takes posts out of the caller's bucket."""
        if per_minute:
            self._refilled(caller, per_minute).tokens -= posts

    def _refilled(self, caller: str, per_minute: int) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(caller, _Bucket(float(per_minute), now))
        earned = (now - bucket.at) * per_minute / SECONDS_PER_MINUTE
        bucket.tokens = min(float(per_minute), bucket.tokens + earned)
        bucket.at = now
        return bucket
