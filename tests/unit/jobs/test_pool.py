"""Units on workers: each once, problems told and passed over, posts that kill a worker found."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from crossguard.data.storage import Entry
from crossguard.errors import ConfigError, JobError, StorageError, UnitError
from crossguard.jobs.pool import Pool, WorkerCrashed, complete
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part, Task, Unit

SCORED = {"action": {"allow": 3}, "error": {"post_empty": 2}, "flag": {}, "language": {}, "note": {}}
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
    return Part(task.unit.index, 3, 0, counts={"action": {"allow": 2}, "error": {"post_empty": 1}})


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
    monkeypatch.setattr("crossguard.jobs.pool.STORAGE_ATTEMPTS", 1)

    def act(task: Task) -> Part:
        if task.unit.index == 5:
            raise StorageError("'in/5' cannot be reached")
        return done(task)

    with Pool([Scripted(act)]) as pool:
        events = list(pool.run(iter(UNITS)))
    assert [str(event) for event in events if isinstance(event, JobError)] == ["'in/5' cannot be reached"]
    assert len([event for event in events if isinstance(event, Part)]) == 19


def test_posts_count_as_moving_only_while_their_part_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossguard.jobs.pool.STORAGE_ATTEMPTS", 1)
    crashes = iter([1, 1])

    def act(task: Task) -> Part:
        if task.unit.index == 0:
            raise StorageError("'in/0' cannot be reached")
        if next(crashes, None) is not None:  # then posts are scored to find one that crashes
            raise WorkerCrashed("signal 9 (SIGKILL)")
        return replace(done(task), counts=dict(SCORED)) if task.write else done(task)

    summary, moving = JobSummary(), []
    with Pool([Scripted(act)]) as pool:
        for event in pool.run(iter(UNITS[:3])):
            summary.add(event)
            moving.append(summary.moving)
    assert (summary.posts, summary.moving, max(moving)) == (10, 0, 5)


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


def unit(rows: int | None = 1000) -> Unit:
    return Unit(Entry("in.jsonl", 1, 1), "jsonl", index=0, rows=rows)


def worker(
    poison: set[int], rows: int = 1000, by_chance: Callable[[int], bool] = lambda _: False
) -> Callable[[Task], Part]:
    """Something that dies of some posts, and now and then for no reason."""

    def run(task: Task) -> Part:
        places = set(range(task.start, rows if task.stop is None else min(task.stop, rows)))
        if by_chance(len(places)) or places & poison - set(task.poison):
            raise WorkerCrashed("signal 11 (SIGSEGV)")
        return Part(0, len(places), len(task.poison), counts={"poison": dict.fromkeys(map(str, task.poison), 1)})

    return run


@pytest.mark.parametrize("rows", [1000, None])
@pytest.mark.parametrize("poison", [set(), {0}, {999}, {3, 500, 501}])
def test_the_posts_that_crash_are_found(rows: int | None, poison: set[int]) -> None:
    part = complete(unit(rows), worker(poison))
    assert part.posts == 1000
    assert set(part.counts["poison"]) == {str(place) for place in poison}


def test_the_reason_is_on_record() -> None:
    seen: list[Task] = []

    def run(task: Task) -> Part:
        seen.append(task)
        return worker({7})(task)

    complete(unit(), run)
    assert seen[-1].poison == {7: "The process that scored this post ended each time: signal 11 (SIGSEGV)."}


@pytest.mark.parametrize("seed", range(20))
def test_workers_that_die_by_chance_blame_nobody(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - dice
    part = complete(unit(), worker(set(), by_chance=lambda posts: chance.random() > 0.9995**posts))
    assert (part.posts, part.failed) == (1000, 0)


def test_a_unit_that_crashes_as_a_whole_is_told() -> None:
    def run(task: Task) -> Part:
        if task.stop is None:  # too much memory for all of it at once
            raise WorkerCrashed("signal 9 (SIGKILL)")
        return Part(0, 1, 0)

    with pytest.raises(UnitError, match=r"no single post of it does: signal 9.*fewer --workers"):
        complete(unit(), run)


def test_a_file_that_crashes_its_reader_is_told() -> None:
    def run(task: Task) -> Part:
        if task.start <= 7 and (task.stop is None or task.stop > 7):
            raise WorkerCrashed("signal 11 (SIGSEGV)")
        return Part(0, 1, 0)

    with pytest.raises(UnitError, match="crashes its worker repeatedly"):
        complete(unit(), run)


def test_a_storage_is_asked_again_and_at_last_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers = [StorageError("503"), StorageError("503")]

    def run(task: Task) -> Part:
        if answers:
            raise answers.pop()
        return Part(0, 5, 0)

    assert complete(unit(), run).posts == 5
    answers += [StorageError("503")] * 99
    with pytest.raises(StorageError, match="503"):
        complete(unit(), run)
    assert waits == [1, 2, 1, 2, 4, 8]
