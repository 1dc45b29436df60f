"""What a person sees on stderr while posts are scored, and afterwards."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Self

from crossguard.cli.telling import tell
from crossguard.data.masking import visible
from crossguard.errors import number_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from crossguard.cli.score_run import Options
    from crossguard.cli.table import DecisionTable
    from crossguard.data.tables import PostReader
    from crossguard.records import Decision, Post
    from crossguard.scoring import Summary

_STEPS = 1000
# Of so many error codes, the most frequent ones, an example is shown.
_EXAMPLES = 3


class Bar:
    """A progress bar on stderr while its block runs; nothing where none is wanted, or none can be drawn."""

    def __init__(self, *, shown: bool | None = None, posts: str = "") -> None:
        self._bar: Progress | None = None
        if sys.stderr.isatty() if shown is None else shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[posts]}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("scoring", total=None, posts=posts)

    def move(self, done: int | None, total: int | None, posts: str) -> None:
        """Shows how far the work is, and what stands beside it."""
        if self._bar is not None:
            self._bar.update(self._task, total=total, completed=done, posts=posts)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


class Watcher(Bar):
    """Follows a run: a progress bar, a table of decisions, a line per failed post, each where wanted."""

    def __init__(self, reader: PostReader, options: Options, limit: int | None) -> None:
        # A bar below a growing table would flicker; the table shows the progress.
        super().__init__(shown=options.bar and not options.as_table)
        self._reader = reader
        self._limit = limit
        self._verbose = options.verbose
        self._posts = 0
        self._table: DecisionTable | None = None
        if options.as_table:
            from crossguard.cli.table import DecisionTable, console

            self._table = DecisionTable(console(), show_text=options.show_text)

    def see(self, post: Post, decision: Decision) -> None:
        """Shows one post and its decision."""
        self._posts += 1
        if self._table is not None:
            self._table.add(post, decision)
        if self._verbose and decision.error is not None:
            tell(visible(f"{decision.id}: {decision.error.code}: {decision.error.message}"))
        if self._bar is not None and self._posts % 16 == 0:
            fraction = self._posts / self._limit if self._limit else self._reader.fraction
            total, done = (None, None) if fraction is None else (_STEPS, round(fraction * _STEPS))
            self.move(done, total, f"{self._posts:,} posts")

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._table is not None:
            self._table.flush()


def print_summary(summary: Summary, warnings: list[str]) -> None:
    """Prints what a run did."""
    speed = f", {summary.posts / summary.seconds:,.0f} posts/s" if summary.seconds > 0 and summary.posts else ""
    kept = f" after {summary.previous:,} of an earlier run" if summary.previous else ""
    from crossguard.records import Action

    actions = ", ".join(f"{summary.actions[action.value]:,} {action.value}" for action in Action)
    tell(f"{number_of(summary.posts, 'post')}{kept}: {actions}{speed}")
    if summary.flags:
        tell(f"flagged: {counts(summary.flags)}")
    if summary.failed:
        tell(f"not scored: {summary.failed.total():,} ({counts(summary.failed)})")
        for code, _ in summary.failed.most_common(_EXAMPLES):
            example = f"{code}, such as {summary.examples[code]}"
            tell(f"  {visible(example)}")
    if summary.other_languages:
        tell(in_other_languages(summary.other_languages))
    for warning in warnings:
        tell(f"note: {visible(warning)}")


def in_other_languages(found: Counter[str]) -> str:
    """Returns what is to be known of posts in these languages."""
    return f"in a language that the model does not know: {counts(found)}; their scores mean little"


def counts(counter: Counter[str]) -> str:
    """Returns the names with their counts, the most frequent first."""
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
