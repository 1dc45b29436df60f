"""Spreads units over workers that may die: tries again, and finds the post that kills them.

One thread per worker takes a unit only when the last one is done.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol, Self

from crossguard.errors import JobError, StorageError, UnitError
from crossguard.jobs.units import Part, Task, Unit

Run = Callable[[Task], Part]
# What happens in a job: posts were scored (fewer than none: what a worker that died had told of is taken back), a unit
# is done, or a unit cannot be done.
Event = int | Part | JobError

STORAGE_ATTEMPTS: Final = 5
# A worker that is killed by chance, such as on a spot machine, blames nobody: a post is blamed after this many crashes
# of workers that scored nothing else.
PROOFS: Final = 3
# Rounds in which a unit crashed its worker twice, and no post was found to do so.
MOST_ROUNDS: Final = 5
# More than a file of any size has; where no post crashes, the search ends here.
MOST_POSTS: Final = 1 << 40


class WorkerCrashed(Exception):  # noqa: N818 - control flow between worker and pool, never shown
    """The process that worked on a task died, or did not move for too long."""


class Worker(Protocol):
    """Carries out one task at a time."""

    cores: int  # how many it uses

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        """Carries out a task; starts the process behind it where it does not run.

        Raises:
            WorkerCrashed: The process died.
            StorageError: The storage does not answer.
            CrossguardError: The job cannot go on.
        """

    def close(self) -> None:
        """Ends the process, also in the middle of a task."""


class Pool:
    """Runs units on workers. Use as a context manager: leaving it ends the workers."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, units: Iterator[Unit]) -> Iterator[Event]:
        """Yields what happens, as it happens."""
        for place, worker in enumerate(self._workers):
            threading.Thread(target=self._work, args=(place, worker, units), daemon=True).start()
        ended = 0
        while ended < len(self._workers):
            event = self._events.get()
            if event is None:
                ended += 1
            elif isinstance(event, BaseException) and not isinstance(event, JobError):
                raise event
            else:
                yield event

    def close(self) -> None:
        """Ends all workers."""
        self._stopped = True
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self, place: int, worker: Worker, units: Iterator[Unit]) -> None:
        try:
            while (unit := self._next(units)) is not None:
                try:
                    part = complete(unit, lambda task: self._counted(worker, task))
                    self._events.put(replace(part, worker=place))
                except JobError as error:
                    self._events.put(error)
        except BaseException as error:  # noqa: BLE001 - raised by whoever iterates over `run`
            self._events.put(error)
        finally:
            worker.close()  # its cores may be what another one waits for
            self._events.put(None)

    def _counted(self, worker: Worker, task: Task) -> Part:
        """Carries out a task, and tells of as many posts as its part has: of none where it failed, or writes none."""
        told = kept = 0

        def tell(count: int) -> None:
            nonlocal told
            told += count
            self._events.put(count)

        try:
            part = worker.run(task, tell)
            kept = part.done if task.write else 0
        finally:
            if kept != told:
                self._events.put(kept - told)
        return part

    def _next(self, units: Iterator[Unit]) -> Unit | None:
        with self._lock:
            return None if self._stopped else next(units, None)


def complete(unit: Unit, run: Run) -> Part:
    """Finishes a unit; `run` carries out a task on a worker, which it replaces after a crash.

    Posts that crash workers are recorded in its part as failed (`worker_crashed`).

    Raises:
        UnitError: It crashes workers, and no single post does.
    """
    poison: dict[int, str] = {}
    rounds = 0
    while rounds < MOST_ROUNDS:
        for _ in range(2):
            try:
                return _patiently(run, Task(unit, poison=dict(poison)))
            except WorkerCrashed as crash:
                reason = str(crash)
        place = _find_poison(unit, run, poison)
        if place is None or place in poison:  # no post, or reading the file already ends the process
            rounds += 1
        else:
            poison[place] = f"The process that scored this post ended each time: {reason}."
    raise UnitError(
        f"Unit {unit.index} ('{unit.entry.path}' from {unit.first}) crashes its worker repeatedly, and no single "
        f"post of it does: {reason}. Memory may be short: use fewer --workers or a smaller --batch-size, then --resume."
    )


def _find_poison(unit: Unit, run: Run, poison: dict[int, str]) -> int | None:
    """Returns the place of a post that crashes a worker alone, found by bisection; None where there is none."""

    def crashes(start: int, stop: int) -> bool:
        try:
            _patiently(run, Task(unit, start, stop, poison, write=False))
        except WorkerCrashed:
            return True
        return False

    low, high = 0, unit.rows or 1
    while unit.rows is None and not crashes(low, high):  # the length is not known: look ever further
        low, high = high, high * 2
        if high > MOST_POSTS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if crashes(low, middle) else (middle, high)
    return low if all(crashes(low, high) for _ in range(PROOFS)) else None


def _patiently(run: Run, task: Task) -> Part:
    """Carries out a task, again where the storage does not answer."""
    for attempt in range(STORAGE_ATTEMPTS - 1):
        try:
            return run(task)
        except StorageError:
            time.sleep(2.0**attempt)
    return run(task)
