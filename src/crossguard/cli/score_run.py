"""What `crossguard score` does once its options are read: shows, writes, sums up, and ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from crossguard.data.outputs import Output
    from crossguard.data.tables import PostReader
    from crossguard.moderator import Moderator
    from crossguard.records import Post
    from crossguard.scoring import Summary

# Not one of the posts could be scored: the run is over, and something about the whole input is wrong.
NOTHING_SCORED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that choose the output and what is shown."""

    out: Path | None
    format: str | None
    resume: bool
    overwrite: bool
    show_text: bool
    verbose: bool
    quiet: bool
    progress: bool | None

    @property
    def as_table(self) -> bool:
        """Whether decisions are shown to a person."""
        return self.out is None and self.format is None and sys.stdout.isatty()


def score_one(moderator: Moderator, post: Post, options: Options) -> None:
    """Scores one post; shows every label on a terminal.

    Raises:
        PostError: It cannot be scored.
    """
    decision = moderator.score(text=post.text, image=post.image, image_text=post.image_text)
    if options.as_table:
        from rich.console import Console

        from crossguard.cli.table import print_decision

        print_decision(post, decision, Console(), show_text=options.show_text)
        return
    with _output(moderator, options) as output:
        output.start()
        output.write(decision)
        output.finish()


def score_many(moderator: Moderator, reader: PostReader, options: Options, **how: Any) -> int:
    """Scores a table and returns the exit code; `how` goes to `score_table`."""
    from crossguard.cli.progress import Watcher, print_summary
    from crossguard.scoring import Summary, score_table

    output = None if options.as_table else _output(moderator, options)
    summary = Summary()
    bar = options.progress if options.progress is not None else sys.stderr.isatty() and not options.quiet
    watcher = Watcher(
        reader,
        limit=how["limit"],
        bar=bar,
        table=options.as_table,
        show_text=options.show_text,
        verbose=options.verbose,
    )
    try:
        with watcher:
            score_table(moderator, reader, output, resume=options.resume, watch=watcher.see, summary=summary, **how)
    except KeyboardInterrupt:
        _tell_how_to_continue(summary, options)
        raise
    if not options.quiet:
        print_summary(summary, reader.warnings)
    return NOTHING_SCORED if summary.posts and not summary.scored and not summary.previous else 0


def _output(moderator: Moderator, options: Options) -> Output:
    from crossguard.data.writing import open_output, open_stream

    labels = moderator.labels.names
    if options.out is not None and str(options.out) != "-":
        return open_output(
            options.out, labels, format=options.format, resume=options.resume, overwrite=options.overwrite
        )
    return open_stream(sys.stdout.buffer, labels, options.format or "jsonl")


def refuse_to_read_what_is_written(source: str, options: Options) -> None:
    """Checks that the output is not the input.

    Raises:
        OutputError: It is, perhaps through a link or a redirection of the shell.
    """
    from crossguard.data.tables import STDIN
    from crossguard.data.writing import refuse_same_file

    to_stdout = options.out is None or str(options.out) == "-"
    try:
        read = sys.stdin.fileno() if source == STDIN else Path(source)
        written = sys.stdout.fileno() if to_stdout or options.out is None else options.out
    except (OSError, ValueError):  # a stream without a file behind it, or a closed one
        return
    refuse_same_file(read, written)


def word_reader() -> Any:
    """Returns what fills in the words of pictures.

    Raises:
        MissingExtraError: RapidOCR is not installed.
    """
    from crossguard.data.ocr import WordReader

    return WordReader().fill


def _tell_how_to_continue(summary: Summary, options: Options) -> None:
    click.echo(f"\nStopped after {summary.previous + summary.posts:,} posts.", err=True)
    if options.out is not None:
        click.echo(f"Continue with the same command and --resume; '{options.out}' holds what is done.", err=True)
