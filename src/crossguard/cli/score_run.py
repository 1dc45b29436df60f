"""What `crossguard score` does once its options are read: shows, writes, sums up, and ends."""

from __future__ import annotations

import glob
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crossguard.cli import until_exit
from crossguard.cli.options import is_there, text_command
from crossguard.cli.telling import tell
from crossguard.data.masking import excerpt
from crossguard.errors import number_of

if TYPE_CHECKING:
    from crossguard.data.outputs import Output
    from crossguard.data.tables import PostReader
    from crossguard.moderator import Moderator
    from crossguard.scoring import Summary, Transform

_ADDRESS: Final = re.compile(r"(?!https?:)\w+://")
_WEB: Final = re.compile(r"https?://\S*$")
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
        return self.out is None and self.format is None and sys.stdout.isatty()

    @property
    def file(self) -> Path | None:
        """The file of the decisions; None for stdout."""
        return None if str(self.out) == "-" else self.out

    @property
    def bar(self) -> bool:
        """Whether a progress bar is drawn."""
        return self.progress if self.progress is not None else sys.stderr.isatty() and not self.quiet


def score_one(moderator: Moderator, given: tuple[str, str | None, str], options: Options, *, ocr: bool) -> None:
    """Scores one post of a text, an image and words in the image; shows every label on a terminal."""
    from crossguard.records import Post

    post = Post("post", *given)
    if ocr:
        with word_reader() as fill:
            post = next(fill(iter([post])))
    decision = moderator.score(post)
    if options.as_table:
        from crossguard.cli.table import console, print_decision

        print_decision(post, decision, console(), show_text=options.show_text)
        return
    from crossguard.data.page import with_post

    with _output(moderator, options, ("text", "image_text") if options.keep else ()) as output:
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
        posts, kept = kept_columns(posts, reader, words=how.get("transform") is not None)
    output = None if options.as_table else _output(moderator, options, kept)
    summary = Summary()
    try:
        with Watcher(reader, options, how["limit"]) as watcher:
            shown: dict[str, Any] = {"keep": options.keep, "watch": watcher.see, "summary": summary}
            score_table(moderator, posts, output, resume=options.resume, **shown, **how)
    except KeyboardInterrupt:
        close_image_workers()
        _tell_how_to_continue(summary, options)
        raise
    if not options.quiet:
        notes = [*reader.warnings, *summary.notes]
        if summary.long_ids and options.file is not None and (options.format or options.file.suffix[1:]) == "csv":
            notes.append("ids of more than 15 digits: Excel rounds them in a .csv file, and not in -o NAME.xlsx")
        print_summary(summary, notes)
        _tell_where(options)
    return NOTHING_SCORED if summary.posts and not summary.scored and not summary.previous else 0


def _output(moderator: Moderator, options: Options, kept: tuple[str, ...]) -> Output:
    from crossguard.data.writing import open_output, open_stream

    labels, attributes = moderator.labels.names, moderator.bundle.manifest.attributes
    if options.file is not None:
        how = {"resume": options.resume, "overwrite": options.overwrite}
        return open_output(options.file, labels, kept=kept, attributes=attributes, format=options.format, **how)
    kind, terminal = options.format or "jsonl", sys.stdout.isatty()
    return open_stream(sys.stdout.buffer, labels, kind, kept, attributes, terminal=terminal)


def _tell_where(options: Options) -> None:
    if options.file is not None:
        tell(f"decisions: {options.file}")


def refuse_a_text(sources: Sequence[str]) -> None:
    """Checks that INPUT names files here or in a storage, and is neither the words of a post nor in the web."""
    files = [source for source in sources if names_files(source) or (" " not in source and Path(source).suffix)]
    web = [source for source in sources if _WEB.match(source)]
    if sources and (web or not files):
        words = " ".join(web if files else sources)
        raise click.UsageError(
            f"There is no file '{excerpt(words)}'. To score a text: {text_command(words)}. "
            "INPUT is never downloaded: it is a table, a folder of images, or - for stdin."
        )


def tell_of_a_file(text: str, options: Options) -> None:
    """Says of a text that is the name of a file how the file is scored."""
    if options.quiet or not os.path.isfile(text):  # noqa: PTH113 - pathlib raises where a text is too long for a name
        return
    from crossguard.data.formats import images_among, kind_of

    name = shlex.quote(text)
    how = f'--text "$(cat {name})"'
    if images_among([text]):
        how = f"--image {name}"
    elif kind_of(text) is not None:
        how = name
    tell(f"note: '{text}' is scored as a text, and is the name of a file. To score that: crossguard score {how}")


def names_files(source: str) -> bool:
    """Whether an INPUT is stdin, is there, matches something that is there, or is an address in a storage."""
    from crossguard.data.formats import STDIN

    if source == STDIN or is_there(source) or _ADDRESS.match(source):
        return True
    # Only these signs are wildcards of a job; pathlib finds nothing from the root, and raises for unknown users.
    pattern = re.sub(r"\[([*?])\]", r"\1", glob.escape(os.path.expanduser(source)))  # noqa: PTH111
    return ("*" in source or "?" in source) and any(True for _ in glob.iglob(pattern, recursive=True))  # noqa: PTH207


def refuse_to_read_what_is_written(source: str, options: Options) -> None:
    """Checks that the output is not the input."""
    from crossguard.data.formats import STDIN, stdin
    from crossguard.data.writing import refuse_same_file

    try:
        read = stdin().fileno() if source == STDIN else Path(source)
        written = options.file or sys.stdout.fileno()
    except (OSError, ValueError):  # a stream without a file behind it, or a closed one
        return
    refuse_same_file(read, written)


@contextmanager
def word_reader() -> Iterator[Transform]:
    """Gives what fills in the words of images; after an error, no image is waited for."""
    from crossguard.data.ocr import WordReader

    with closing(WordReader()) as reader:
        try:
            yield reader.fill
        except BaseException:
            until_exit(reader)  # one that is being read may take seconds
            raise


def _tell_how_to_continue(summary: Summary, options: Options) -> None:
    tell(f"\nStopped after {number_of(summary.previous + summary.posts, 'post')}.")
    if options.file is not None:
        from crossguard.data.outputs import journal_of

        journal = journal_of(options.file)
        place = journal if journal.exists() else options.file
        tell(f"Continue with the same command and --resume; '{place}' holds what is done.")
