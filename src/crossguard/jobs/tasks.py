"""Carries out tasks: scores a unit and puts its part into the output folder; the same in every engine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from crossguard.data.writing import open_output
from crossguard.errors import ConfigError
from crossguard.jobs.parts import part_name
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.storage import Storage
from crossguard.jobs.units import Part, Task
from crossguard.records import Decision, Post
from crossguard.scoring import Summary, Transform, score_table

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
        self._reader = spec.reader()
        self._output = Storage(spec.output)
        self._transform = _word_reader() if spec.ocr else None

    def run(self, task: Task, progress: Progress) -> Part:
        """Scores a unit, or a stretch of it.

        Args:
            task: What to do.
            progress: Called now and then with how many posts were scored since the last call.

        Raises:
            StorageError: The input or the output does not answer.
            OutputError: The output is full.
            ChangedError: The input changed.
        """
        started = time.monotonic()
        posts = _without(self._reader.posts(task.unit), task.poison)
        chosen: Iterator[Post] = itertools.islice(posts, task.start, task.stop)
        watch = _Counter(progress)
        summary = score_table(self._moderator, chosen, **self._how(watch)) if not task.write else Summary()
        if not task.write:
            return _part(task, summary, started)
        with self._output.scratch() as scratch:
            file = scratch / f"part.{self._spec.format}"
            names = self._moderator.labels.names
            chosen, kept = _kept(chosen) if self._spec.keep else (chosen, ())
            attributes = self._moderator.bundle.manifest.attributes
            output = open_output(file, names, kept=kept, attributes=attributes)
            summary = score_table(self._moderator, chosen, output, keep=self._spec.keep, **self._how(watch))
            part = _part(task, summary, started)
            name = part_name(part.index, self._spec.fingerprint, part.posts, part.failed, self._spec.format)
            part = replace(part, name=name, size=file.stat().st_size)
            self._output.put(name, file)
        return part

    def close(self) -> None:
        """Ends the threads of the model."""
        self._moderator.close()

    def _how(self, watch: _Counter) -> dict[str, Any]:
        return {"batch_size": self._spec.batch_size, "transform": self._transform, "watch": watch.see}


class _Counter:
    """Tells of every so many posts."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._posts = 0

    def see(self, post: Post, decision: Decision) -> None:  # noqa: ARG002 - what `score_table` calls
        """Counts one post."""
        self._posts += 1
        if self._posts % REPORTED == 0:
            self._progress(REPORTED)


def _part(task: Task, summary: Summary, started: float) -> Part:
    counts = {"action": dict(summary.actions), "flag": dict(summary.flags), "error": dict(summary.failed)}
    return Part(task.unit.index, summary.posts, summary.failed.total(), time.monotonic() - started, counts)


def _without(posts: Iterator[Post], poison: Mapping[int, str]) -> Iterator[Post]:
    """Yields posts, with a failed one in the place of each that crashes."""
    for place, post in enumerate(posts):
        yield Post.failed(post.id, "worker_crashed", poison[place]) if place in poison else post


def _kept(posts: Iterator[Post]) -> tuple[Iterator[Post], tuple[str, ...]]:
    """Returns the posts, and the names of what is kept of them, as the first ones tell."""
    first = list(itertools.islice(posts, _PEEKED))
    names = dict.fromkeys(name for post in first for name in post.extra)
    return itertools.chain(first, posts), tuple(dict.fromkeys(["text", "image_path", "image_text", *names]))


def _word_reader() -> Transform:
    from crossguard.data.ocr import WordReader

    return WordReader().fill
