"""Scores many files into a folder of parts: what `crossguard score ... -o FOLDER/` does, as a function.

summary = crossguard.score_files(["posts/*.parquet"], "decisions/")
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from crossguard.checked_settings import check_count, read_nth
from crossguard.data.columns import Columns
from crossguard.data.outputs import lock_file
from crossguard.data.storage import Storage
from crossguard.decision.policy import Policy
from crossguard.errors import ConfigError, OutputError, suggest
from crossguard.jobs.job import PathLike, ScoringJob
from crossguard.jobs.parts import JOB, PLAN, intact, write_manifest
from crossguard.jobs.pool import Event, Pool, Worker
from crossguard.jobs.sources import UNIT_POSTS, InputFormat
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part, Shard, Unit
from crossguard.machine import available_cores

EngineName = Literal["local", "ray"]
ENGINES: Final = ("local", "ray")
# Seconds before each look at the finished folder: some storages list a new object a little later.
LISTING_WAITS: Final = (0.0, 1.0, 5.0, 15.0)
Watch = Callable[[Event, JobSummary], None]


def score_files(
    inputs: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    model: str | Path = "compact",
    policy: str | Path | Policy = "default",
    tenant: str | None = None,
    engine: EngineName = "local",
    workers: int | None = None,
    resume: bool = False,
    shards: str | None = None,
    unit_posts: int = UNIT_POSTS,
    input_format: InputFormat | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> JobSummary:
    """Scores files, folders and patterns, here or in a storage, into a folder of parts and a manifest.

    Args:
        inputs: Parquet, JSON Lines, CSV or text files (texts also `.gz` and `.zst`), Excel, WebDataset `.tar`, folders
            of them or of images, and patterns such as `posts/**/*.parquet`; also `s3://`, `gs://` and `hdfs://`.
        out: The folder, here or in a storage. It must be empty, unless a job is continued.
        model: A shipped name, a folder, or a Hub id; with Ray, one that every machine finds.
        policy: See `load`.
        tenant: See `load`.
        engine: `local`: worker processes on this machine. `ray`: actors on a Ray cluster.
        workers: How many; by the cores when None.
        resume: Whether to finish a job that was interrupted; with the same settings.
        shards: `i/n`: only every n-th unit, for array jobs; a run that was interrupted is always continued.
        unit_posts: About how many posts a part has.
        input_format: The format of all files, or `folder` for the images of folders; by their names when None.
        watch: Called with each event of the job and what was counted so far.
        settings: `runtime`, `precision`, `threads`, `pixels`, `other_languages`, `batch_size`, `columns`, `image_root`,
            `confine_images`, `keep`, `ocr` and `format` (of the parts: `jsonl`, `csv` or `parquet`), as for
            `crossguard score`; `fetch_origins`, from which images named by URL are fetched, and `fetch_private`.

    Returns:
        What the job did, in numbers.

    Raises:
        TableError: An input is missing, changed since the job began, or cannot be read at all.
        OutputError: The folder is not empty, holds another job, is full, or another run writes into it.
        ConfigError: A setting is wrong.
        StorageError: A storage does not answer.
    """
    started = time.monotonic()
    check_count(workers, "workers", least=1)
    in_python = not isinstance(settings.get("columns"), Columns)  # which the command line gives
    settings |= {"unit_posts": unit_posts, "input_format": input_format, "in_python": in_python}
    job = ScoringJob.open(inputs, out, model=model, policy=policy, tenant=tenant, **settings)
    shard = Shard(*read_nth(shards, "--shards")) if shards else Shard()
    summary = JobSummary()
    with locked(job.output, shard):
        if shard.count == 1:
            job.output.clean()
        job.start(resume=resume or shard.count > 1)
        summary.left_out = job.left_out
        summary.planned = sum(map(shard.has, job.units()))
        crew = make_workers(engine, job, workers)
        summary.cores = sum(worker.cores for worker in crew)
        if engine == "local":  # where there are more workers than cores, they share
            summary.cores = min(summary.cores, available_cores())
        with Pool(crew) as pool:
            for event in pool.run(_pending(job, shard, summary)):
                summary.add(event)
                summary.seconds = time.monotonic() - started
                if watch is not None:
                    watch(event, summary)
        summary.totals = _totals(job, shard, summary)
        if shard.count == 1 or summary.totals:
            job.output.clean()
    summary.seconds = time.monotonic() - started
    return summary


def make_workers(engine: EngineName, job: ScoringJob, count: int | None) -> Sequence[Worker]:
    """Returns the workers of an engine.

    Raises:
        ConfigError: There is no such engine.
        MissingExtraError: It is not installed.
    """
    if engine == "local":
        from crossguard.jobs.local import local_workers

        return local_workers(job.spec, job.identity, count)
    if engine == "ray":
        from crossguard.jobs.ray import ray_workers

        return ray_workers(job.spec, job.identity, count)
    raise ConfigError(f"Unknown engine '{engine}'.{suggest(engine, ENGINES)}")


def _totals(job: ScoringJob, shard: Shard, summary: JobSummary) -> Part | None:
    """Writes the manifest where all parts are there; waits for those of this run that a storage does not list yet."""
    complete = shard.count == 1 and not summary.problems
    for wait in LISTING_WAITS if complete else LISTING_WAITS[:1]:
        time.sleep(wait)
        totals = write_manifest(job.output, job.units(), job.identity, job.spec.fingerprint)
        if totals is not None:
            return totals
    if complete:
        summary.problems.append(
            f"All parts were written, and '{job.output.address}' does not list all of them. Run the same command with "
            "--resume: it scores what is still missing then, and writes the manifest."
        )
    return None


def _pending(job: ScoringJob, shard: Shard, summary: JobSummary) -> Iterator[Unit]:
    """Yields the units of a shard that have no part yet, or one with posts to repeat, and counts the others."""
    for unit, part in intact(job.output, job.finished(shard)):
        if part is None or part.later:
            yield unit if part is None else replace(unit, previous=part.name)
        else:
            summary.previous += 1


@contextmanager
def locked(output: Storage, shard: Shard) -> Iterator[None]:
    """Keeps a second run out of a folder of this machine; in a storage, two runs write the same bytes twice.

    Shards run side by side, each once; a run of all units is alone.
    """
    if not output.is_local:
        yield
        return
    folder, path = Path(output.path), Path(output.join(f"_job/lock-{shard.index}-of-{shard.count}"))
    existed = folder.is_dir()
    with ExitStack() as held:
        for lock, shared in ((path.with_name("lock"), shard.count > 1), (path, False)):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                file = held.enter_context(lock.open("a+b"))  # NFS shares only locks of files that can be read
            except OSError as error:
                raise OutputError(f"Cannot write into '{output.address}': {error.strerror}.") from None
            if not lock_file(file, shared=shared):
                raise OutputError(
                    f"Another run writes into '{output.address}'. Wait for its end, or choose another folder."
                )
        try:
            yield
        finally:
            if not Path(output.join(JOB)).exists():  # refused before it began: nothing of it stays
                _remove_traces(output, path, existed=existed)


def _remove_traces(output: Storage, lock: Path, *, existed: bool) -> None:
    with suppress(OSError):
        lock.unlink()
        if not any(lock.parent.glob("lock-*")):  # another shard may be planning
            Path(output.join(PLAN)).unlink(missing_ok=True)
            lock.with_name("lock").unlink()
        lock.parent.rmdir()
        output.clean()
        if not existed:
            Path(output.path).rmdir()
