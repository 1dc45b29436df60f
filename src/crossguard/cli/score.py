"""`crossguard score`: a text, an image, a file, a folder or stdin, to decisions."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
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

_FILE = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)


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


@click.command("score")
@click.argument("source", metavar="INPUT", required=False)
@click.option("--text", help="Score one post with this text.")
@click.option("--image", metavar="FILE", help="Score one post with this picture: a file or a data: URL.")
@click.option("--image-text", help="The words in the picture of that post.")
@click.option("-o", "--out", type=_FILE, help="Write decisions here: .jsonl, .csv or .parquet.")
@click.option(
    "--format", type=click.Choice(["jsonl", "csv", "parquet"]), help="Format of the output; else by its name."
)
@click.option("--resume", is_flag=True, help="Continue what an interrupted run wrote to --out.")
@click.option("--overwrite", is_flag=True, help="Replace what is in --out.")
@click.option("--model", default="compact", show_default=True, help="A shipped name, a folder, or a Hub id.")
@click.option("--policy", default="default", show_default=True, help="A policy of the model, or a YAML file.")
@click.option("--tenant", help="Whose overrides of the policy file apply.")
@click.option("--runtime", default="auto", show_default=True, help="auto, openvino or onnx.")
@click.option("--threads", type=_POSITIVE, help="Cores to use; else all.")
@click.option("--batch-size", type=_POSITIVE, help="Posts per run of the model.")
@click.option("--limit", type=_POSITIVE, help="Score at most this many posts.")
@click.option(
    "--input-format", type=click.Choice(["jsonl", "csv", "parquet", "folder"]), help="Else by name; stdin: jsonl."
)
@click.option("--id-column", default="id", show_default=True, help="Column of the posts' own names.")
@click.option("--text-column", default="text", show_default=True, help="Column of what was written.")
@click.option("--image-path-column", default="image_path", show_default=True, help="Column of paths or data: URLs.")
@click.option("--image-text-column", default="image_text", show_default=True, help="Column of words in pictures.")
@click.option("--image-column", default="image", show_default=True, help="Column of encoded pictures (bytes).")
@click.option("--image-root", type=_FILE, help="Folder of relative image paths; else that of INPUT.")
@click.option("--ocr", is_flag=True, help="Read the words in pictures where they are not given. Needs crossguard[ocr].")
@click.option(
    "--on-error",
    type=click.Choice(["record", "skip", "stop"]),
    default="record",
    show_default=True,
    help="A post that cannot be scored gets its own record, is left out, or ends the run.",
)
@click.option("--show-text", is_flag=True, help="Do not mask the words of flagged posts on the terminal.")
@click.option("--progress/--no-progress", default=None, help="Progress bar; else where stderr is a terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Name each post that could not be scored.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary.")
def command(
    *,
    source: str | None,
    text: str | None,
    image: str | None,
    image_text: str | None,
    model: str,
    policy: str,
    tenant: str | None,
    runtime: str,
    threads: int | None,
    batch_size: int | None,
    limit: int | None,
    input_format: str | None,
    image_root: Path | None,
    ocr: bool,
    on_error: str,
    **others: Any,
) -> int:
    r"""Score posts. INPUT is a JSONL, CSV or Parquet file, a folder of pictures, or - for stdin.

    \b
    crossguard score --text "Good morning" --image meme.jpg
    crossguard score posts.csv -o decisions.parquet --policy benchmark
    crossguard score posts.jsonl -o decisions.jsonl --resume
    crossguard score pictures/ --ocr
    zcat posts.jsonl.gz | crossguard score - > decisions.jsonl

    Tables have the columns id, text, image_path, image_text or image, of which one to score is enough. Decisions come
    in the order of the posts: a table on a terminal, JSON Lines in a pipe. Exit codes: docs/reference/exit-codes.md.
    """
    names = ("id", "text", "image_path", "image_text", "image")
    columns = {name: others.pop(f"{name}_column") for name in names}
    options = Options(**others)
    single = text is not None or image is not None or image_text is not None
    if single == (source is not None):
        raise click.UsageError(
            "Give INPUT, or the --text and --image of one post. Example: crossguard score --text Hello"
        )
    if options.resume and options.out is None:
        raise click.UsageError("--resume continues a file, so it needs --out.")
    # Pillow comments on pictures that it decodes nevertheless; what matters becomes a Skipped record.
    warnings.filterwarnings("ignore", module="PIL")

    from crossguard.data.tables import Columns, PostReader
    from crossguard.moderator import Moderator
    from crossguard.records import Post
    from crossguard.scoring import OnError

    reader = None
    if source is not None:
        reader = PostReader(source, format=input_format, columns=Columns(**columns), image_root=image_root)
        _refuse_to_read_what_is_written(source, options)
    transform = _word_reader() if ocr else None
    moderator = Moderator.load(model, policy=policy, tenant=tenant, runtime=runtime, threads=threads)
    if reader is None:
        post = Post("post", text or "", image, image_text or "")
        _score_one(moderator, next(transform(iter([post]))) if transform else post, options)
        return 0
    return _score_many(
        moderator,
        reader,
        options,
        limit=limit,
        on_error=OnError(on_error),
        batch_size=batch_size,
        transform=transform,
    )


def _score_one(moderator: Moderator, post: Any, options: Options) -> None:
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


def _score_many(moderator: Moderator, reader: PostReader, options: Options, **how: Any) -> int:
    from crossguard.cli.progress import Watcher, print_summary
    from crossguard.scoring import Summary, score_table

    output = None if options.as_table else _output(moderator, options)
    summary = Summary()
    bar = options.progress if options.progress is not None else sys.stderr.isatty() and not options.quiet
    watcher = Watcher(reader, bar=bar, table=options.as_table, show_text=options.show_text, verbose=options.verbose)
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


def _refuse_to_read_what_is_written(source: str, options: Options) -> None:
    from crossguard.data.tables import STDIN
    from crossguard.data.writing import refuse_same_file

    if source != STDIN and options.out is not None:
        refuse_same_file(Path(source), options.out)


def _word_reader() -> Any:
    from crossguard.data.ocr import WordReader

    return WordReader().fill


def _tell_how_to_continue(summary: Summary, options: Options) -> None:
    click.echo(f"\nStopped after {summary.previous + summary.posts:,} posts.", err=True)
    if options.out is not None:
        click.echo(f"Continue with the same command and --resume; '{options.out}' holds what is done.", err=True)
