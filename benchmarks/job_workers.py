"""What the engines of a job cost: the same units in this process, by worker processes, and by actors of Ray.

Each scorer is held to one core, whatever threads it has: one that reads, decodes and computes at once would use both
cores alone, and a second one could add nothing. The ways take turns, forwards and backwards, so that a machine which
grows slower or faster favours none; a ratio is one within a turn. Turns in which other processes of the machine were
busy are left out, if enough are left. Workers load their models before: that is stated apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.posts import make_posts
from crossguard.data.writing import open_output
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.local import LocalWorker
from crossguard.jobs.pool import Worker
from crossguard.jobs.ray import RayWorker
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import Part, Task, Unit
from crossguard.machine import allowed_cores
from crossguard.scoring import Summary, score_table

Call = Callable[[], object]
# Cores that others may have busy in a turn, and how many such turns make a result.
QUIET: Final = 0.15
ENOUGH: Final = 5
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way to score took.

    Attributes:
        seconds: Time.
        processor: Processor time of this process and of those that score, seconds.
        daemons: Of other processes below this one, which are those of Ray.
        others: Of all other processes of the machine.
    """

    seconds: float
    processor: float
    daemons: float
    others: float

    @classmethod
    def now(cls, scorers: Sequence[int]) -> Cost:
        """Reads the clocks."""
        own = _processor(os.getpid()) + sum(map(_below, scorers))
        everything = _below(os.getpid())
        return cls(time.perf_counter(), own, everything - own, _busy() - everything)

    def since(self, before: Cost) -> Cost:
        """Returns the difference."""
        names = ("seconds", "processor", "daemons", "others")
        return Cost(*(getattr(self, name) - getattr(before, name) for name in names))


Turn = dict[str, Cost]


def workers(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Lets the ways to score the same units take turns; each worker has one thread.

    Returns:
        Of each ratio the median over the turns and its 95 % bootstrap interval: of time, and of the processor time of
        the processes that score, which neighbours on the machine change less.
    """
    job = _job(folder, count)
    units = list(job.units())
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        runner = TaskRunner(job.spec, job.identity)
        calls: dict[str, Call] = {"plain": lambda: _plain_on(allowed_cores()[0], runner, units, folder)}
        local = _local(job, stack)
        calls |= _engine("local", local, units, stack)
        if find_spec("ray"):
            stack.enter_context(_cluster())
            actors = [stack.enter_context(closing(RayWorker(job.spec, job.identity, 1))) for _ in range(2)]
            calls |= _engine("ray", actors, units, stack)
        for name in ("local_two", "ray_two"):  # both load their models
            if name in calls:
                found[f"{name}_first_s"] = round(seconds_of(calls[name]), 2)
        scorers = [*_actor_processes(), *(worker.pid for worker in local if worker.pid is not None)]
        found["turns"] = rounds
        turns = [_turn(calls, scorers, backwards=bool(place % 2)) for place in range(-1, rounds)][1:]
    return found | _summary(turns, 2 * count)


def _turn(calls: dict[str, Call], scorers: Sequence[int], *, backwards: bool) -> Turn:
    turn: Turn = {}
    for name in sorted(calls, key=list(calls).index, reverse=backwards):
        before = Cost.now(scorers)
        calls[name]()
        turn[name] = Cost.now(scorers).since(before)
    return turn


def _job(folder: Path, count: int) -> ScoringJob:
    """Returns a job over two files, a unit each, of posts with embedded images."""
    made = make_posts(folder / "images", count)
    for place in range(2):
        images = [Path(str(post.image)).read_bytes() for post in made]
        rows = {"id": [post.id for post in made], "text": [post.text for post in made], "image": images}
        parquet.write_table(pa.table(rows), folder / f"in-{place}.parquet")
    job = ScoringJob.open([folder / "in-0.parquet", folder / "in-1.parquet"], folder / "out", threads=1)
    job.start(resume=False)
    return job


def _local(job: ScoringJob, stack: ExitStack) -> list[LocalWorker]:
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

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
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


def _summary(turns: Sequence[Turn], posts: int) -> dict[str, Any]:
    quiet = [turn for turn in turns if all(cost.others <= QUIET * cost.seconds for cost in turn.values())]
    used = quiet if len(quiet) >= ENOUGH else turns
    found: dict[str, Any] = {"quiet_turns": len(quiet), "turns_used": len(used)}
    for name in turns[0]:
        found[f"{name}_posts_per_second"] = round(posts / median(turn[name].seconds for turn in used), 1)
    busy = [cost.others / cost.seconds for turn in used for cost in turn.values()]
    found["cores_of_others"] = round(median(busy), 3)
    found["cores_of_ray_daemons"] = round(median(turn["plain"].daemons / turn["plain"].seconds for turn in used), 3)
    for name in ("local", "ray"):
        if f"{name}_one" not in turns[0]:
            continue
        for clock in ("seconds", "processor"):
            one, plain = ([getattr(turn[way], clock) for turn in used] for way in (f"{name}_one", "plain"))
            found[f"{name}_against_plain_{clock}"] = _ratio(one, plain)
        one, two = ([turn[f"{name}_{way}"] for turn in used] for way in ("one", "two"))
        found[f"{name}_two_against_one"] = _ratio([cost.seconds for cost in one], [cost.seconds for cost in two])
        # What it would be, had each a core of its own: twice, less what the two slow each other down.
        processor = _ratio([2 * cost.processor for cost in one], [cost.processor for cost in two])
        found[f"{name}_two_against_one_processor"] = processor
    return found


def _ratio(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """Returns the median of the ratios within turns, and its 95 % bootstrap interval."""
    ratios = np.divide(these, those)
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    return [round(float(value), 3) for value in (np.median(ratios), *np.percentile(np.median(drawn, 1), [2.5, 97.5]))]


def _plain(runner: TaskRunner, unit: Unit, folder: Path) -> Summary:
    moderator = runner._moderator  # noqa: SLF001 - the same loaded model, without a job around it
    out = open_output(folder / "plain.jsonl", moderator.labels.names, overwrite=True)
    return score_table(moderator, runner._reader.posts(unit), out)  # noqa: SLF001


def _work(worker: Worker, unit: Unit) -> Part:
    return worker.run(Task(unit), lambda _: None)


def seconds_of(call: Call) -> float:
    """Returns how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _processor(pid: int) -> float:
    """Returns the processor time of a process and of its children that ended; 0 for one that is gone."""
    with suppress(OSError):
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, values[11:15])) / _TICKS
    return 0.0


def _below(pid: int) -> float:
    """Returns the processor time of a process and all below it."""
    total = _processor(pid)
    with suppress(OSError):
        for listing in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(_below(int(child)) for child in listing.read_text().split())
    return total


def _busy() -> float:
    """Returns how long the cores of this machine were busy, or taken away by its host, together."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS
