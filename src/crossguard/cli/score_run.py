"""What `crossguard score` does once its options are read: shows, writes, sums up, and ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from crossguard.data.outputs import Output
    from crossguard.data.tables import PostReader
    from crossguard.moderator import Moderator
    from crossguard.scoring import Summary

# Not one of the posts could be scored: the run is over, and something about the whole input is wrong.
NOTHING_SCORED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that choose the output and what is shown."""

    out: Path | None
    format: str | None
    keep: bool
    resume: bool
    overwrite: bool
    show_text: bool
    verbose: bool
    quiet: bool
    progress: bool | None

    @property
    def as_table(self) -> bool:
        """Whether decisions are shown to a person."""
        return self.out is None and self.format is None and sys.stdout is not None and sys.stdout.isatty()


def score_one(moderator: Moderator, given: tuple[str, str | None, str], options: Options, *, ocr: bool) -> None:
    """Scores one post of a text, an image and words in the image; shows every label on a terminal."""
    from crossguard.records import Post

    post = Post("post", *given)
    if ocr:
        post = next(word_reader()(iter([post])))
    decision = moderator.score(post)
    if options.as_table:
        from crossguard.cli.table import console, print_decision

        print_decision(post, decision, console(), show_text=options.show_text)
        return
    from crossguard.data.page import with_post

    with _output(moderator, options) as output:
        output.start()
        kept = {"image_text": post.image_text} if post.image_text else {}
        decision = replace(decision, input=kept | ({"text": post.text} if options.keep else {}))
        output.write(with_post(decision, post) if output.for_people else decision)
        output.finish()
    if not options.quiet:
        _tell_where(options)


def score_many(moderator: Moderator, reader: PostReader, options: Options, **how: Any) -> int:
    """Scores a table and returns the exit code; `how` goes to `score_table`."""
    from crossguard.cli.progress import Watcher, print_summary
    from crossguard.data.image_worker import close_image_workers
    from crossguard.scoring import Summary, kept_columns, score_table

    posts = iter(reader)
    kept: tuple[str, ...] = ()
    if options.keep:
        posts, kept = kept_columns(posts, reader)
    output = None if options.as_table else _output(moderator, options, kept)
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
            shown: dict[str, Any] = {"keep": options.keep, "watch": watcher.see, "summary": summary}
            score_table(moderator, posts, output, resume=options.resume, **shown, **how)
    except KeyboardInterrupt:
        close_image_workers()
        _tell_how_to_continue(summary, options)
        raise
    if not options.quiet:
        notes = [*reader.warnings, *summary.notes]
        if summary.long_ids and options.out is not None and (options.format or options.out.suffix[1:]) == "csv":
            notes.append("ids of more than 15 digits: Excel rounds them in a .csv file, and not in -o NAME.xlsx")
        print_summary(summary, notes)
        _tell_where(options)
    return NOTHING_SCORED if summary.posts and not summary.scored and not summary.previous else 0


def _output(moderator: Moderator, options: Options, kept: tuple[str, ...] = ()) -> Output:
    from crossguard.data.writing import open_output, open_stream
    from crossguard.errors import OutputError

    labels, attributes = moderator.labels.names, moderator.bundle.manifest.attributes
    if options.out is not None and str(options.out) != "-":
        how = {"resume": options.resume, "overwrite": options.overwrite}
        return open_output(options.out, labels, kept=kept, attributes=attributes, format=options.format, **how)
    if sys.stdout is None:
        raise OutputError("stdout is closed. Name a file: -o decisions.jsonl")
    return open_stream(sys.stdout.buffer, labels, options.format or "jsonl", kept, attributes)


def _tell_where(options: Options) -> None:
    if options.out is not None and str(options.out) != "-":
        click.echo(f"decisions: {options.out}", err=True)


def refuse_a_text(source: str) -> None:
    """Checks that INPUT is not a text that somebody wants to have scored.

    Raises:
        UsageError: There is no such file, and it has spaces or no suffix.
    """
    if source != "-" and not Path(source).exists() and (" " in source or not Path(source).suffix):
        quoted = source.replace("'", "'\\''")
        raise click.UsageError(
            f"There is no file '{source}'. To score a text: crossguard score --text '{quoted}'. "
            "INPUT is a table, a folder of images, or - for stdin."
        )


def refuse_to_read_what_is_written(source: str, options: Options) -> None:
    """Checks that the output is not the input."""
    from crossguard.data.formats import STDIN
    from crossguard.data.writing import refuse_same_file

    to_stdout = options.out is None or str(options.out) == "-"
    try:
        read = sys.stdin.fileno() if source == STDIN else Path(source)
        written = sys.stdout.fileno() if to_stdout or options.out is None else options.out
    except (OSError, ValueError):  # a stream without a file behind it, or a closed one
        return
    refuse_same_file(read, written)


def word_reader() -> Any:
    """Returns what fills in the words of images."""
    from crossguard.data.ocr import WordReader

    return WordReader().fill


def _tell_how_to_continue(summary: Summary, options: Options) -> None:
    click.echo(f"\nStopped after {summary.previous + summary.posts:,} posts.", err=True)
    if options.out is not None:
        from crossguard.data.outputs import journal_of

        journal = journal_of(options.out)
        place = journal if journal.exists() else options.out
        click.echo(f"Continue with the same command and --resume; '{place}' holds what is done.", err=True)
