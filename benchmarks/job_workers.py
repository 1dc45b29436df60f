"""What the engines of a job cost: the same units in this process, by worker processes, and by actors of Ray.

Each scorer is held to one core, whatever threads it has: one that reads, decodes and computes at once would use both
cores alone, and a second one could add nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from benchmarks.posts import make_posts
from crossguard.data.writing import open_output
from crossguard.jobs.cores import allowed_cores
from crossguard.jobs.job import Job
from crossguard.jobs.local import LocalWorker
from crossguard.jobs.pool import Worker
from crossguard.jobs.ray import RayWorker
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import Part, Task, Unit
from crossguard.scoring import Summary, score_table

Call = Callable[[], object]


def workers(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Lets the ways to score the same units take turns; each worker has one thread.

    Returns:
        Ratios within a turn, the median over the turns: of time, and of the processor time of all processes, which
        neighbours on the machine do not change.
    """
    job = _job(folder, count)
    units = list(job.units())
    with ExitStack() as stack:
        runner = stack.enter_context(closing(TaskRunner(job.spec, job.identity)))
        first, last = allowed_cores()[0], allowed_cores()[-1]
        calls: dict[str, Call] = {"plain": lambda: _plain_on(first, runner, units, folder)}
        calls |= _engine("local", _local(job, stack), units, stack)
        if find_spec("ray"):
            stack.enter_context(_cluster())
            actors = [stack.enter_context(closing(RayWorker(job.spec, job.identity, 1))) for _ in range(2)]
            calls |= _engine("ray", actors, units, stack)
            calls["ray_two"]()
            for pid, core in zip(_actor_processes(), (first, last), strict=True):
                _hold(pid, {core})
        turns = [{name: _measured(call) for name, call in calls.items()} for _ in range(rounds + 1)]
    return _summary(turns[1:], 2 * count)  # the first turn loads the models


def _job(folder: Path, count: int) -> Job:
    """Returns a job over two files, a unit each, of posts with embedded images."""
    made = make_posts(folder / "images", count)
    for place in range(2):
        images = [Path(str(post.image)).read_bytes() for post in made]
        rows = {"id": [post.id for post in made], "text": [post.text for post in made], "image": images}
        parquet.write_table(pa.table(rows), folder / f"in-{place}.parquet")
    job = Job.open([folder / "in-0.parquet", folder / "in-1.parquet"], folder / "out", threads=1)
    job.start(resume=False)
    return job


def _local(job: Job, stack: ExitStack) -> list[LocalWorker]:
    """Returns two worker processes, each on a core of its own."""
    ends = allowed_cores()[:1], allowed_cores()[-1:]
    return [stack.enter_context(closing(LocalWorker(job.spec, job.identity, own, threads=1))) for own in ends]


def _engine(name: str, crew: Sequence[Worker], units: Sequence[Unit], stack: ExitStack) -> dict[str, Call]:
    """Returns two ways: the first worker does all units, or each worker does one."""
    threads = stack.enter_context(ThreadPoolExecutor(len(crew)))
    return {
        f"{name}_one": lambda: [_work(crew[0], unit) for unit in units],
        f"{name}_two": lambda: list(threads.map(_work, crew, units)),
    }


@contextmanager
def _cluster() -> Iterator[None]:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        yield
    finally:
        ray.shutdown()


def _plain_on(core: int, runner: TaskRunner, units: Sequence[Unit], folder: Path) -> None:
    cores = os.sched_getaffinity(0)
    _hold(os.getpid(), {core})
    try:
        for unit in units:
            _plain(runner, unit, folder)
    finally:
        _hold(os.getpid(), cores)


def _hold(pid: int, cores: Iterable[int]) -> None:
    """Lets all threads of a process run on these cores only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores)


def _actor_processes() -> list[int]:
    """Returns the processes of Ray's actors on this machine that score."""
    titles = {int(entry.name): _title(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    return sorted(pid for pid, title in titles.items() if title.startswith("ray::_Scorer"))


def _title(process: Path) -> str:
    with suppress(OSError):
        return (process / "cmdline").read_text().replace("\0", " ")
    return ""


def _summary(turns: Sequence[dict[str, tuple[float, float]]], posts: int) -> dict[str, Any]:
    def ratio(one: str, other: str, clock: int = 0) -> float:
        return round(median(turn[one][clock] / turn[other][clock] for turn in turns), 3)

    found: dict[str, Any] = {"posts_per_second": posts / median(turn["plain"][0] for turn in turns)}
    for name in ("local", "ray"):
        if f"{name}_one" in turns[0]:
            found[f"{name}_against_plain"] = ratio(f"{name}_one", "plain")
            found[f"{name}_against_plain_processor_time"] = ratio(f"{name}_one", "plain", 1)
            found[f"{name}_two_against_one"] = ratio(f"{name}_one", f"{name}_two")
            # What it would be, had no neighbour taken a core: twice, less what the two slow each other down.
            found[f"{name}_two_against_one_processor_time"] = 2 * ratio(f"{name}_one", f"{name}_two", 1)
    return found


def _plain(runner: TaskRunner, unit: Unit, folder: Path) -> Summary:
    moderator = runner._moderator  # noqa: SLF001 - the same loaded model, without a job around it
    out = open_output(folder / "plain.jsonl", moderator.labels.names, overwrite=True)
    return score_table(moderator, runner._reader.posts(unit), out)  # noqa: SLF001


def _work(worker: Worker, unit: Unit) -> Part:
    return worker.run(Task(unit), lambda _: None)


def _measured(call: Call) -> tuple[float, float]:
    """Returns seconds, and seconds of processor time of this process and all below it."""
    started, used = time.perf_counter(), _processor_seconds(os.getpid())
    call()
    return time.perf_counter() - started, _processor_seconds(os.getpid()) - used


def _processor_seconds(pid: int) -> float:
    """Returns the processor time of a process and those below it, as Linux counts it; 0 for one that has ended."""
    total = 0.0
    with suppress(OSError):
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total = sum(map(int, values[11:15])) / os.sysconf("SC_CLK_TCK")
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(_processor_seconds(int(child)) for child in listing.read_text().split())
    return total
