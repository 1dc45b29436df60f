"""Spreads units over workers: one thread per worker, which takes a unit only when the last one is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, Self

from crossguard.errors import JobError
from crossguard.jobs.recovery import complete
from crossguard.jobs.units import Part, Task, Unit


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


# What happens in a job: posts were scored, a unit is done, or a unit cannot be done.
Event = int | Part | JobError


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
                    part = complete(unit, lambda task: worker.run(task, self._events.put))
                    self._events.put(replace(part, worker=place))
                except JobError as error:
                    self._events.put(error)
        except BaseException as error:  # noqa: BLE001 - raised by whoever iterates over `run`
            self._events.put(error)
        finally:
            worker.close()  # its cores may be what another one waits for
            self._events.put(None)

    def _next(self, units: Iterator[Unit]) -> Unit | None:
        with self._lock:
            return None if self._stopped else next(units, None)
