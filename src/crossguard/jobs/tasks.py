"""Carries out tasks: scores a unit and puts its part into the output folder; the same in every engine."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Final

from crossguard.data.outputs import Output
from crossguard.data.storage import Storage
from crossguard.data.writing import open_output, read_decisions
from crossguard.errors import ConfigError
from crossguard.jobs.parts import part_name
from crossguard.jobs.reading import UnitReader
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import Part, Task, Unit
from crossguard.jobs.web_images import LATER, WebImages, is_later
from crossguard.records import Decision, Post
from crossguard.scoring import Summary, Transform, Watch, score_table

Progress = Callable[[int], None]
# A progress message costs little, and tells a slow worker from one that hangs.
REPORTED: Final = 64
_PEEKED: Final = 100


class TaskRunner:
    """One loaded model, and everything else that a worker keeps.

    Raises:
        ConfigError: The job was planned with another model, policy or runtime than is here.
        BundleError, MissingExtraError: The model cannot be loaded.
    """

    def __init__(self, spec: JobSpec, identity: dict[str, str]) -> None:
        self._spec = spec
        self._moderator = spec.load()
        here = spec.identity(self._moderator, identity["input"])
        if here != identity:
            told = ", ".join(f"{name} is {here[name]}" for name in here if here[name] != identity.get(name))
            raise ConfigError(f"This worker is not like the others: {told}. Install the same versions everywhere.")
        self._reader = UnitReader(spec)
        self._output = Storage(spec.output)
        self._transform = _transform(spec)

    def run(self, task: Task, progress: Progress) -> Part:
        """Scores a unit, or a stretch of it; `progress` hears now and then how many posts were scored since."""
        started = time.monotonic()
        with self._output.scratch() as scratch:
            earlier = self._earlier(task.unit, scratch)
            posts = _without(self._reader.posts(task.unit), task.poison)
            posts, kept = _kept(posts) if self._spec.keep and task.write else (posts, ())
            posts = _chosen(posts, task, earlier)
            file = scratch / f"part.{self._spec.format}"
            summary = score_table(
                self._moderator,
                posts,
                self._open(file, kept) if task.write else None,
                keep=self._spec.keep,
                batch_size=self._spec.batch_size,
                transform=self._transform,
                watch=_counter(progress),
            )
            part = _part(task, summary, self._reader.notes, started)
            return self._put(part, file, earlier, kept, task.unit.previous) if task.write else part

    def _put(self, part: Part, file: Path, earlier: Path | None, kept: tuple[str, ...], previous: str) -> Part:
        """Puts a part into the output folder, in place of the one of an earlier run if there is one."""
        if earlier is not None:
            merged = file.with_name(f"merged.{self._spec.format}")
            part = _merge(earlier, file, self._open(merged, kept), part)
            file = merged
        name = part_name(part, self._spec.fingerprint, self._spec.format)
        size = file.stat().st_size
        self._output.put(name, file)
        if earlier is not None and previous != name:
            self._output.delete(previous)
        return replace(part, name=name, size=size)

    def _open(self, file: Path, kept: tuple[str, ...]) -> Output:
        attributes = self._moderator.bundle.manifest.attributes
        return open_output(file, self._moderator.labels.names, kept=kept, attributes=attributes)

    def _earlier(self, unit: Unit, scratch: Path) -> Path | None:
        """Brings the part of an earlier run to this machine; None where there is none, or no longer."""
        stream = self._output.read(unit.previous) if unit.previous else None
        if stream is None:
            return None
        file = scratch / f"earlier.{self._spec.format}"
        with closing(stream), file.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        return file


def _counter(progress: Progress) -> Watch:
    """Returns what sees each post, and tells of every so many."""
    count = itertools.count(1)

    def see(_post: Post, _decision: Decision) -> None:
        if next(count) % REPORTED == 0:
            progress(REPORTED)

    return see


def _part(task: Task, summary: Summary, notes: Sequence[str], started: float) -> Part:
    counts = {"action": dict(summary.actions), "flag": dict(summary.flags), "error": dict(summary.failed)}
    counts |= {"language": dict(summary.other_languages), "note": dict.fromkeys([*notes, *summary.left_out], 1)}
    seconds = time.monotonic() - started
    where = f"'{task.unit.entry.path}', "
    examples = {
        code: said if code == "file_unreadable" else f"{where}{said}" for code, said in summary.examples.items()
    }
    failed = summary.failed
    return Part(task.unit.index, summary.posts, failed.total(), seconds, counts, later=failed[LATER], examples=examples)


def _without(posts: Iterator[Post], poison: Mapping[int, str]) -> Iterator[Post]:
    """Yields posts, with a failed one in the place of each that crashes."""
    for place, post in enumerate(posts):
        yield Post.failed(post.id, "worker_crashed", poison[place]) if place in poison else post


def _chosen(posts: Iterator[Post], task: Task, earlier: Path | None) -> Iterator[Post]:
    """Returns the posts of a task; after an earlier run, those that wait for their images since then."""
    if earlier is None:
        return itertools.islice(posts, task.start, task.stop)
    pairs = itertools.islice(zip(posts, read_decisions(earlier), strict=False), task.start, task.stop)
    return (post for post, decision in pairs if is_later(decision))


def _merge(earlier: Path, repeated: Path, output: Output, part: Part) -> Part:
    """Writes the decisions of an earlier part, with those that were repeated in their places."""
    news = read_decisions(repeated)
    posts = failed = 0
    with output:
        output.start()
        for decision in read_decisions(earlier):
            row = next(news) if is_later(decision) else decision
            posts, failed = posts + 1, failed + (not row.ok)
            output.write(row)
        output.finish()
    return replace(part, posts=posts, failed=failed)


def _kept(posts: Iterator[Post]) -> tuple[Iterator[Post], tuple[str, ...]]:
    """Returns the posts, and the names of what is kept of them, as the first ones tell."""
    first = list(itertools.islice(posts, _PEEKED))
    names = dict.fromkeys(name for post in first for name in post.extra)
    return itertools.chain(first, posts), tuple(dict.fromkeys(["text", "image_path", "image_text", *names]))


def _transform(spec: JobSpec) -> Transform | None:
    """Returns what completes posts before they are scored: fetches their images, reads the words in them."""
    steps: list[Transform] = []
    if spec.fetch_origins:
        steps.append(WebImages(spec.fetch_origins, private=spec.fetch_private).fill)
    if spec.ocr:
        from crossguard.data.ocr import WordReader

        steps.append(WordReader().fill)
    return (lambda posts: reduce(lambda found, step: step(found), steps, posts)) if steps else None
