"""Processes that are forked from this one, through which they share texts, pixels and tokens."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from crossguard.machine import available_cores

T = TypeVar("T")
# Fewer rows are done before processes are there.
FEWEST: Final = 4000
# A part is small enough to be waited for, and large enough to be worth sending.
ROWS: Final = 1000

_work: Callable[[Sequence[int]], Any] | None = None


def can_fork() -> bool:
    """Says whether this system forks."""
    return "fork" in get_all_start_methods()


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Has the processes that are forked meanwhile keep for ever what this one has, referred to or not.

    What holds threads, a session of ONNX Runtime say, waits for them as it is destroyed. A fork has no such threads but
    has the memory of their stacks, which is then handed out twice: batches that workers made held the stack of a
    thread, or a worker crashed.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def load_batches(
    make: Callable[[NDArray[np.int64]], T], plan: Sequence[NDArray[np.int64]], workers: int, *, pin: bool = False
) -> Iterator[T]:
    """Yields what is made of the planned rows in order, the same batches whatever the number of workers.

    Where a system cannot fork, this process makes the batches.
    """
    forks = workers if can_fork() else 0
    loader: DataLoader[T] = DataLoader(
        plan,  # type: ignore[arg-type] # a sequence is dataset enough
        batch_size=None,
        collate_fn=make,  # type: ignore[arg-type] # of a plan's entry, not of a list
        num_workers=forks,
        multiprocessing_context="fork" if forks else None,
        pin_memory=pin,
    )
    with garbage_kept():
        return iter(loader)


def divided(work: Callable[[Sequence[int]], T], rows: Sequence[int]) -> list[T]:
    """Returns what `work` makes of consecutive parts of the rows, in order."""
    cores = available_cores()
    if len(rows) < FEWEST or cores < 2 or not can_fork():  # noqa: PLR2004 one core is this one
        return [work(rows)]
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    with garbage_kept():
        pool = get_context("fork").Pool(min(cores, len(parts)), _hold, (work,))
    with pool:
        return pool.map(_do, parts, chunksize=1)


def _hold(work: Callable[[Sequence[int]], Any]) -> None:
    """Keeps what a forked process shall do: it has it by the fork, so that nothing is pickled."""
    global _work  # noqa: PLW0603 a process of its own
    _work = work


def _do(rows: Sequence[int]) -> Any:
    assert _work is not None
    return _work(rows)
