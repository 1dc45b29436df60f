"""What a job would take, from its plan and a measured sample of its own posts."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Final

from crossguard.errors import TableError, UnitError
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.local import LocalWorker, crew_of
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.reading import UnitReader
from crossguard.jobs.tasks import REPORTED
from crossguard.jobs.units import Task, Unit
from crossguard.machine import available_cores

# Posts are much alike inside a file, and less so from file to file.
SAMPLED_UNITS: Final = 4
SAMPLED_POSTS: Final = 256
READ_POSTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """What a job would take."""

    files: int  # how many files are read
    unreadable: int  # how many cannot be
    units: int  # how many parts there would be
    size: int  # bytes of the input
    posts: int  # how many, as far as the plan or the sample tells
    counted: bool  # whether all of them were counted; otherwise some files tell only when they are read
    sampled: int  # posts that were scored to measure
    failed: int  # how many of those could not be scored
    posts_per_second: float  # of all workers of this machine together
    cores: int  # of all workers

    @property
    def hours(self) -> float:
        """Time on this machine."""
        return self.posts / self.posts_per_second / 3600

    @property
    def core_hours(self) -> float:
        """Time of one core, on machines like this one."""
        return self.hours * self.cores


def estimate(job: ScoringJob, workers: int | None = None) -> JobEstimate:
    """Plans the input, scores a sample of it on one worker, and extrapolates; nothing is written.

    Raises:
        TableError: The input cannot be read.
        UnitError: The sample crashes its worker.
    """
    files = unreadable = units = size = posts = 0
    open_size = 0
    chosen: list[Unit] = []
    draw = random.Random(0)  # noqa: S311 - a sample, the same each time
    for source, cut in job.cut():
        files, size = files + (len(source.names) or 1), size + source.entry.size
        for unit in cut:
            unreadable += unit.kind == "unreadable"
            posts += unit.rows or 0
            open_size += unit.size if unit.rows is None else 0
            if unit.kind != "unreadable":
                _reservoir(chosen, unit, units, draw)
            units += 1
    count, threads = crew_of(job.spec, workers)
    cores = min(count * threads, available_cores())
    with closing(job.spec.load()) as moderator:
        identity = job.spec.identity(moderator, "")
    with TemporaryDirectory() as scratch:
        spec = replace(job.spec, output=scratch)  # a worker makes folders in it, and parts are thrown away
        with closing(LocalWorker(spec, identity, (), threads=threads)) as worker:
            sampled, failed, seconds = _measure(worker, chosen)
    if not sampled:
        raise TableError("The sample of the input has no posts.")
    posts += round(open_size * _posts_per_byte(job, [unit for unit in chosen if unit.rows is None]))
    rate = sampled / seconds * max(1, cores / threads)
    return JobEstimate(files, unreadable, units, size, posts, not open_size, sampled, failed, rate, cores)


def _reservoir(chosen: list[Unit], unit: Unit, place: int, draw: random.Random) -> None:
    """Keeps each of the units so far with the same probability."""
    if len(chosen) < SAMPLED_UNITS:
        chosen.append(unit)
    elif (at := draw.randrange(place + 1)) < SAMPLED_UNITS:
        chosen[at] = unit


def _measure(worker: LocalWorker, units: list[Unit]) -> tuple[int, int, float]:
    """Returns posts, how many of them failed, and seconds."""
    posts = failed = 0
    seconds = 0.0
    for warm in (True, False):  # the first pass compiles the model and fills caches
        for unit in units:
            task = Task(unit, stop=REPORTED if warm else SAMPLED_POSTS, write=False)
            try:
                part = worker.run(task, lambda _: None)
            except WorkerCrashed as crash:
                raise UnitError(
                    f"The sample from '{unit.entry.path}' crashed its worker: {crash}. Memory may be short: use a "
                    "smaller --batch-size. If it is one post that does, a job records it as failed, and goes on."
                ) from None
            if not warm:
                posts, failed, seconds = posts + part.posts, failed + part.failed, seconds + part.seconds
    return posts, failed, seconds


def _posts_per_byte(job: ScoringJob, units: list[Unit]) -> float:
    """Reads the beginning of files that do not say how many posts they hold."""
    reader = UnitReader(replace(job.spec, image_root="."))  # posts are counted without fetching images of a storage
    found = [_beginning(reader, unit) for unit in units]
    read = sum(size for _, size in found)
    return sum(posts for posts, _ in found) / read if read else 0.0


def _beginning(reader: UnitReader, unit: Unit) -> tuple[int, int]:
    """Returns how many posts a file begins with, and the bytes that hold them; all posts of a small file.

    What was read lies ahead of the posts by the buffers, which may hold thousands: by as much each time that one is
    filled anew, so that posts are counted from one filling to another.
    """
    posts = before = 0
    first = 0, 0  # posts and bytes at the first filling, after which all lie ahead by the same
    for _ in reader.posts(unit):
        if reader.consumed != before:
            if first == (0, 0):
                first = posts, before
            elif posts >= READ_POSTS:
                return posts - first[0], before - first[1]
            before = reader.consumed
        posts += 1
    return posts, unit.size
