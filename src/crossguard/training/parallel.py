"""Work on many rows, divided among forked processes, which share this one's memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import get_all_start_methods, get_context
from typing import Any, Final, TypeVar

from crossguard.machine import available_cores

T = TypeVar("T")
# Fewer rows are done before processes are there.
FEWEST: Final = 4000
# A part is small enough to be waited for, and large enough to be worth sending.
ROWS: Final = 1000

_work: Callable[[Sequence[int]], Any] | None = None


def divided(work: Callable[[Sequence[int]], T], rows: Sequence[int]) -> list[T]:
    """Returns what `work` makes of consecutive parts of the rows, in order."""
    cores = available_cores()
    if len(rows) < FEWEST or cores < 2 or "fork" not in get_all_start_methods():  # noqa: PLR2004 one core is this one
        return [work(rows)]
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    with get_context("fork").Pool(min(cores, len(parts)), _hold, (work,)) as pool:
        return pool.map(_do, parts, chunksize=1)


def _hold(work: Callable[[Sequence[int]], Any]) -> None:
    """Keeps what a forked process shall do: it has it by the fork, so that nothing is pickled."""
    global _work  # noqa: PLW0603 a process of its own
    _work = work


def _do(rows: Sequence[int]) -> Any:
    assert _work is not None
    return _work(rows)
