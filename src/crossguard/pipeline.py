"""Batches flow through three stages at once: prepared, inferred, handed out; in order, in constant memory."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from crossguard.preprocessing.batch import Prepared
from crossguard.records import Logits, Post

BATCH_SIZE: Final = 64
# Enough that no stage waits for another, few enough that memory stays flat. Two batches are inferred at once, so that
# the cores have work while the last pieces of a batch finish.
PREPARED_AHEAD: Final = 1
INFERRED_AHEAD: Final = 2


class Pipeline:
    """Threads that carry batches through `prepare` and `infer`. Safe to share between threads."""

    def __init__(self) -> None:
        self._preparers = ThreadPoolExecutor(max_workers=PREPARED_AHEAD, thread_name_prefix="crossguard-prepare")
        self._inferrers = ThreadPoolExecutor(max_workers=INFERRED_AHEAD, thread_name_prefix="crossguard-infer")

    def close(self) -> None:
        """Ends the threads."""
        for threads in (self._preparers, self._inferrers):
            threads.shutdown(cancel_futures=True)

    def run(
        self,
        posts: Iterable[Post],
        prepare: Callable[[Sequence[Post]], list[Prepared]],
        infer: Callable[[Sequence[Prepared]], Logits],
        batch_size: int | None = None,
    ) -> Iterator[tuple[list[Prepared], Logits]]:
        """Yields batches with what the model says of them, in the order of the posts."""
        pending: deque[tuple[Future[list[Prepared]], Future[Logits]]] = deque()
        try:
            for batch in _batched(posts, batch_size or BATCH_SIZE):
                prepared = self._preparers.submit(prepare, batch)
                pending.append((prepared, self._inferrers.submit(_infer, prepared, infer)))
                if len(pending) > PREPARED_AHEAD + INFERRED_AHEAD:
                    yield _finished(*pending.popleft())
            while pending:
                yield _finished(*pending.popleft())
        finally:
            for futures in pending:
                for future in futures:
                    future.cancel()


def _infer(prepared: Future[list[Prepared]], infer: Callable[[Sequence[Prepared]], Logits]) -> Logits:
    return infer(prepared.result())


def _finished(prepared: Future[list[Prepared]], logits: Future[Logits]) -> tuple[list[Prepared], Logits]:
    return prepared.result(), logits.result()


def _batched(posts: Iterable[Post], size: int) -> Iterator[list[Post]]:
    iterator = iter(posts)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
