"""A queue that is fair between callers: each gets the same share of the work, whatever it sends."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

TURN: Final = 16
"""Entries of one request that are taken before the next request of its caller has its turn."""
MOST_CLOCKS: Final = 1000
"""Callers with nothing in the queue whose clocks are kept before those that mean nothing any more are dropped."""


class FairQueue(Generic[T]):
    """Entries of requests of callers, taken from the caller that has been served least.

    Each caller has a clock that moves on by the cost of what is taken from it, and the queue has one that moves on by
    the share of it that each has. A caller that comes, or comes back, starts at the clock of the queue: it can neither
    save up nor be made to wait by what others have queued. Nothing starves, however many come, because a clock that
    stands still is the lowest at last. Of one caller, requests take turns.
    """

    def __init__(self) -> None:
        self._callers: dict[str, _Requests[T]] = {}
        self._order: list[tuple[float, int, str]] = []  # clock, when it was put, caller: a heap
        self._clocks: dict[str, float] = {}
        self._now = 0.0
        self._puts = 0
        self._size = 0

    def put(self, entry: T, *, caller: str, request: Hashable, cost: int) -> None:
        """Adds an entry of a request."""
        self._size += 1
        if caller not in self._callers:
            self._callers[caller] = _Requests()
            self._line_up(caller, max(self._now, self._clocks.pop(caller, 0.0)))
        self._callers[caller].put(entry, request, cost)

    def take(self, most: int) -> list[T]:
        """Removes entries whose costs add up to `most`, or one that costs more."""
        taken: list[T] = []
        while self._callers and most > 0:
            clock, _, caller = heapq.heappop(self._order)
            entry, cost = self._callers[caller].take()
            taken.append(entry)
            most -= cost
            self._now = max(self._now, clock) + cost / len(self._callers)
            if self._callers[caller]:
                self._line_up(caller, clock + cost)
            else:
                del self._callers[caller]
                self._clocks[caller] = clock + cost
        self._size -= len(taken)
        self._forget()
        return taken

    def __iter__(self) -> Iterator[T]:
        """Yields the first entry of each request."""
        for requests in self._callers.values():
            yield from (entries[0][0] for entries in requests.entries.values())

    def __len__(self) -> int:
        return self._size

    def _line_up(self, caller: str, clock: float) -> None:
        self._puts += 1
        heapq.heappush(self._order, (clock, self._puts, caller))

    def _forget(self) -> None:
        if not self._callers:
            self._clocks.clear()
        elif len(self._clocks) > MOST_CLOCKS:
            self._clocks = {caller: clock for caller, clock in self._clocks.items() if clock > self._now}


class _Requests(Generic[T]):
    """The requests of one caller, which take turns."""

    def __init__(self) -> None:
        self.entries: dict[Hashable, deque[tuple[T, int]]] = {}
        self._turn = 0

    def put(self, entry: T, request: Hashable, cost: int) -> None:
        self.entries.setdefault(request, deque()).append((entry, cost))

    def take(self) -> tuple[T, int]:
        request = next(iter(self.entries))
        entries = self.entries[request]
        taken = entries.popleft()
        self._turn += 1
        if not entries or self._turn == TURN:
            self._turn = 0
            del self.entries[request]
            if entries:
                self.entries[request] = entries
        return taken

    def __bool__(self) -> bool:
        return bool(self.entries)
