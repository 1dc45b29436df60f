"""What `crossguard score` does with many files: a job, its progress, and what it came to."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from crossguard.cli.options import is_there
from crossguard.cli.progress import Bar, counts, in_other_languages
from crossguard.cli.score_run import NOTHING_SCORED, Options, names_files
from crossguard.cli.telling import tell
from crossguard.data.masking import visible
from crossguard.errors import number_of

if TYPE_CHECKING:
    from crossguard.data.stored_posts import LeftOut
    from crossguard.jobs.pool import Event
    from crossguard.jobs.summary import JobSummary

# Units are left: a storage did not answer, or workers died again and again.
UNFINISHED = 10
_PLAIN_EVERY = 30.0
_NOTES = 10
"""Most notes of a kind that are shown, the most frequent first."""


def wanted(sources: Sequence[str], out: str | None) -> bool:
    """Whether a command line asks for a job: many files, a folder to write to, or a storage."""
    remote = any("://" in address for address in (*sources, out or ""))
    first = sources[0] if len(sources) == 1 else ""
    pattern = not is_there(first) and ("*" in first or ("?" in first and names_files(first)))
    folder = out is not None and (out.endswith("/") or Path(out).is_dir())
    return len(sources) > 1 or remote or pattern or folder


def run(
    sources: Sequence[str],
    out: str | None,
    options: Options,
    *,
    metrics_port: int | None,
    price: float | None,
    **how: Any,
) -> int:
    """Runs a job and returns the exit code; `price` is that of one core for an hour."""
    from crossguard.jobs.run import score_files

    _check_sources(sources, how["input_format"])
    if out is None or out == "-" or _looks_like_a_file(out):
        shown = "" if out is None else f" '{out}' looks like a file."
        one = f". The decisions on one file: crossguard score {shlex.quote(sources[0])} -o decisions.csv"
        hint = "" if wanted(sources[:1], None) else one
        raise click.UsageError(f"Many files go into a folder of parts.{shown} Name one: -o decisions/{hint}")
    try:
        with JobProgress(bar=options.bar, quiet=options.quiet, metrics_port=metrics_port, price=price) as progress:
            summary = score_files(sources, out, resume=options.resume, watch=progress.see, **_settings(how, options))
    except KeyboardInterrupt:
        tell("\nStopped. Finished parts are kept; the same command with --resume does the rest.")
        raise
    if not options.quiet:
        print_job(summary, out, price)
    whole, problems = summary.totals, list(summary.problems)
    if whole is not None and whole.later:
        problems.append(f"Waiting for images: {number_of(whole.later, 'post')}; --resume tries again.")
    for problem in problems:
        tell(f"Error: {visible(problem)}")
    if problems:
        return UNFINISHED
    return NOTHING_SCORED if whole is not None and 0 < whole.posts == whole.failed else 0


def _check_sources(sources: Sequence[str], input_format: str | None) -> None:
    if not sources or "-" in sources:
        raise click.UsageError("A job reads files: name them, their folder, or a pattern. For stdin: score - > FILE")
    from crossguard.data.formats import how_to_score_images, images_among

    images = [] if input_format else images_among(sources)
    if images:
        raise click.UsageError(how_to_score_images(images))


def _looks_like_a_file(out: str) -> bool:
    from crossguard.data.formats import SUFFIX_FORMATS
    from crossguard.data.storage import is_remote

    if out.endswith("/"):
        return False
    if is_remote(out):  # names of buckets and options of storages have dots, too
        return PurePosixPath(out.partition("?")[0]).suffix in SUFFIX_FORMATS
    return Path(out).suffix != "" and not Path(out).is_dir()


def estimate(
    sources: Sequence[str],
    out: str | None,
    options: Options,
    *,
    workers: int | None,
    price: float | None,
    **how: Any,
) -> int:
    """Says what a job would take."""
    _check_sources(sources, how["input_format"])
    from rich.filesize import decimal

    from crossguard.jobs.estimate import estimate as measure
    from crossguard.jobs.job import ScoringJob

    job = ScoringJob.open(sources, out or "not-written", **_settings(how, options))
    found = measure(job, workers)
    about = "" if found.counted else "about "
    click.echo(
        f"input: {number_of(found.files, 'file')}, {decimal(found.size)}, {about}{number_of(found.posts, 'post')}"
    )
    if found.unreadable:
        click.echo(f"not readable: {number_of(found.unreadable, 'file')}")
    _tell_left_out(job.left_out, err=False)
    click.echo(f"output: {number_of(found.units, 'part')}")
    failed = f", {found.failed:,} of them not scored" if found.failed else ""
    speed = f"{found.posts_per_second:,.0f} posts/s on {found.cores} cores of this machine"
    click.echo(f"measured: {found.sampled:,} of these posts{failed}; {speed}")
    click.echo(
        f"expected: {_time(found.hours * 3600)} here, {_cost(found.core_hours, price)}, plus reading and storing"
    )
    return 0


class JobProgress(Bar):
    """Follows a job: a bar on a terminal, else a line every half minute; and for Prometheus, where wanted."""

    def __init__(self, *, bar: bool, quiet: bool, metrics_port: int | None = None, price: float | None = None) -> None:
        super().__init__(shown=bar, posts="planning")
        self._quiet = quiet or bar
        self._price = price
        self._last = 0.0
        self._metrics = None
        if metrics_port is not None:
            from crossguard.jobs.summary import JobMetrics

            self._metrics = JobMetrics()
            self._metrics.listen(metrics_port)

    def see(self, event: Event, summary: JobSummary) -> None:
        """Shows what happened."""
        if self._metrics is not None:
            self._metrics.see(event, summary)
        posts, done = summary.posts + summary.moving, summary.previous + summary.done
        speed = posts / summary.seconds if summary.seconds else 0.0
        line = f"{number_of(posts, 'post')}, {speed:,.0f}/s, {done:,} of {number_of(summary.planned, 'part')}"
        if self._price is not None:
            line += f", cost {self._price * summary.core_hours:,.2f}"
        self.move(done, summary.planned, line)
        if not self._quiet and summary.seconds - self._last > _PLAIN_EVERY:
            self._last = summary.seconds
            left = summary.seconds_left
            if left is not None:
                line += f", {_time(left)} left"
                if self._price is not None:
                    line += f" for {self._price * left * summary.cores / 3600:,.2f}"
            tell(line)


def print_job(summary: JobSummary, out: str, price: float | None = None) -> None:
    """Prints what a job did."""
    from rich.filesize import decimal

    speed = f", {summary.posts / summary.seconds:,.0f} posts/s" if summary.seconds and summary.posts else ""
    kept = f" after {summary.previous:,} of earlier runs" if summary.previous else ""
    spent = "" if price is None else f", {_cost(summary.core_hours, price)}"
    tell(f"{number_of(summary.done, 'part')}{kept}, {number_of(summary.posts, 'post')}{speed}{spent}")
    for name, counter in (("actions", summary.actions), ("flagged", summary.flags), ("not scored", summary.failed)):
        if counter:
            tell(f"{name}: {counts(counter)}")
    for code, example in summary.examples.items():
        for each in summary.unreadable if code == "file_unreadable" else [example]:
            told = f"{code}, such as {each}"
            tell(f"  {visible(told)}")
    if summary.other_languages:
        tell(in_other_languages(summary.other_languages))
    for note, parts in summary.notes.most_common(_NOTES):
        where = "" if parts == summary.done else f" ({number_of(parts, 'part')})"
        tell(f"note: {visible(note)}{where}")
    _tell_left_out(summary.left_out, err=True)
    if summary.totals is None:
        tell(f"decisions: parts in {out}; the manifest is written with the last of them")
        return
    whole = summary.totals
    tell(
        f"decisions: {out}: {number_of(whole.index, 'part')}, {number_of(whole.posts, 'post')}, "
        f"{whole.failed:,} of them not scored, {decimal(whole.size)}"
    )


def _tell_left_out(left_out: LeftOut, *, err: bool) -> None:
    if left_out.images:
        told = "not scored as posts of their own. For images instead of tables: --input-format folder"
        click.echo(f"note: {number_of(left_out.images, 'image')} beside the tables, {told}", err=err)
    others = Counter({suffix or "without a suffix": count for suffix, count in left_out.others.items()})
    if others:
        most = counts(Counter(dict(others.most_common(_NOTES))))
        told = f"left out, as they are no tables that are read: {number_of(others.total(), 'file')} ({most})"
        click.echo(f"note: {visible(told)}", err=err)
    for folder in left_out.jobs[:_NOTES]:
        click.echo(f"note: left out, as it holds the decisions of a job: {visible(folder)}", err=err)


def _settings(how: dict[str, Any], options: Options) -> dict[str, Any]:
    from crossguard.data.tables import Columns

    settings = {**how, "columns": Columns(**how["columns"]), "keep": options.keep, "format": options.format}
    return {name: value for name, value in settings.items() if value is not None}


def _cost(core_hours: float, price: float | None) -> str:
    shown = f"{core_hours:,.2g} core-hours"
    return shown if price is None else f"{shown} at {price:g} = {core_hours * price:,.2f}"


def _time(seconds: float) -> str:
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} s"
