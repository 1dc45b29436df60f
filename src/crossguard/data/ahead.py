"""Work on a stream of items that threads do ahead of whoever takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_order(
    function: Callable[[A], B], items: Iterable[A], ahead: int, threads: ThreadPoolExecutor | None = None
) -> Iterator[B]:
    """Yields what a function returns for each item, in order; so many are on their way in threads, and no more.

    The threads are as many, and end with the last item, unless some are given.
    """
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(ahead) if threads is None else nullcontext(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
