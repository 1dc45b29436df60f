"""Units on workers: each once, problems told and passed over, a defect ends the job."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from crossguard.data.storage import Entry
from crossguard.errors import ConfigError, JobError, StorageError
from crossguard.jobs import recovery
from crossguard.jobs.pool import Pool
from crossguard.jobs.units import Part, Task, Unit

UNITS = [Unit(Entry(f"in/{index}", 9, 0), "jsonl", index=index, rows=3) for index in range(20)]


class Scripted:
    """A worker that does what it is told for each unit."""

    cores = 1

    def __init__(self, act: Callable[[Task], Part]) -> None:
        self._act = act
        self.closed = False

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        progress(3)
        return self._act(task)

    def close(self) -> None:
        self.closed = True


def done(task: Task) -> Part:
    return Part(task.unit.index, 3, 0)


def test_each_unit_is_done_once_by_some_worker() -> None:
    meet = threading.Barrier(3)

    def act(task: Task) -> Part:
        if task.unit.index < 3:
            meet.wait(10)  # nobody may do two of these
        return done(task)

    workers = [Scripted(act) for _ in range(3)]
    with Pool(workers) as pool:
        events = list(pool.run(iter(UNITS)))
    parts = [event for event in events if isinstance(event, Part)]
    assert sorted(part.index for part in parts) == list(range(20))
    assert {part.worker for part in parts if part.index < 3} == {0, 1, 2}
    assert [event for event in events if isinstance(event, int)] == [3] * 20
    assert all(worker.closed for worker in workers)


def test_a_unit_that_cannot_be_done_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "STORAGE_ATTEMPTS", 1)

    def act(task: Task) -> Part:
        if task.unit.index == 5:
            raise StorageError("'in/5' cannot be reached")
        return done(task)

    with Pool([Scripted(act)]) as pool:
        events = list(pool.run(iter(UNITS)))
    assert [str(event) for event in events if isinstance(event, JobError)] == ["'in/5' cannot be reached"]
    assert len([event for event in events if isinstance(event, Part)]) == 19


def test_what_no_unit_can_survive_ends_the_job() -> None:
    def act(task: Task) -> Part:
        raise ConfigError("This worker is not like the others")

    worker = Scripted(act)
    with Pool([worker]) as pool, pytest.raises(ConfigError, match="not like the others"):
        list(pool.run(iter(UNITS)))
    assert worker.closed


def test_a_pool_that_is_closed_takes_no_further_unit() -> None:
    taken: list[int] = []

    def act(task: Task) -> Part:
        taken.append(task.unit.index)
        pool.close()
        return done(task)

    pool = Pool([Scripted(act)])
    list(pool.run(iter(UNITS)))
    assert taken == [0]
