"""`crossguard score`: a text, an image, a file, a folder or stdin, to decisions."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from crossguard.cli import score_many as many
from crossguard.cli import score_run as steps
from crossguard.cli import until_exit
from crossguard.cli.options import (
    POST_COLUMNS,
    Number,
    model_option,
    out_option,
    reading_options,
    refuse_idle,
    single_option,
)

_POSITIVE = click.IntRange(min=1)
# Which options go where: to `load`, to a reader of posts, and to a job.
_LOADED = ("model", "policy", "tenant", "runtime", "precision", "threads", "pixels", "other_languages")
_READING = ("input_format", "image_root", "confine_images")
_JOBS = ("engine", "workers", "shards", "unit_posts", "fetch_origins", "fetch_private")
# What only one table has, and what only tables and jobs have.
_OF_ONE_FILE = ("limit", "overwrite", "verbose", "show_text")
_NOT_OF_ONE = (
    *("resume", "limit", "batch_size", "on_error", "dry_run", "price", "metrics_port"),
    *(*_READING, *_JOBS, *(f"{name}_column" for name in POST_COLUMNS)),
)


@click.command("score")
@click.argument("sources", metavar="[INPUT]...", nargs=-1)
@single_option("--text", help="Score one post with this text.")
@single_option("--image", metavar="FILE", help="Score one post with this image: a file or a data: URL.")
@single_option("--image-text", help="The words in the image of that post.")
@out_option(
    help="Write decisions here: .jsonl, .csv, .parquet or .xlsx; or .html, a page. A folder/ for many files.",
)
@click.option(
    "--format",
    type=click.Choice(["jsonl", "csv", "parquet", "xlsx", "html"]),
    help="Format of the output; else by its name, and JSON Lines in a pipe.",
)
@click.option("--keep", is_flag=True, help="Add the columns of the input, above all the text, to the results.")
@click.option("--resume", is_flag=True, help="Continue what an interrupted run wrote to --out.")
@click.option("--overwrite", is_flag=True, help="One file only: replace what is in --out.")
@model_option
@click.option("--policy", default="default", show_default=True, help="A policy of the model, or a YAML file.")
@click.option("--tenant", help="Tenant whose overrides in the policy file apply.")
@click.option("--runtime", default="auto", show_default=True, help="auto, openvino or onnx.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="auto is the fastest in which the model passed its quality gate, measured once; bf16 helps float32 models on "
    "processors that have it.",
)
@click.option(
    "--pixels",
    type=click.Choice(["fast", "exact"]),
    default="fast",
    show_default=True,
    help="fast decodes a JPEG at the smallest size that is large enough; exact decodes all of it.",
)
@click.option(
    "--other-languages",
    type=click.Choice(["score", "note", "skip"]),
    default="note",
    show_default=True,
    help="Texts in a language that the model does not know: score them as usual, mark them, or do not score them.",
)
@click.option("--threads", type=_POSITIVE, help="Number of cores; all by default.")
@click.option("--batch-size", type=_POSITIVE, help="Posts per batch.")
@click.option("--limit", type=_POSITIVE, help="Score at most this many posts.")
@reading_options(
    "INPUT", ["jsonl", "csv", "txt", "parquet", "xlsx", "folder"], ", and for stdin by its first character"
)
@click.option("--image-root", help="Folder that relative image paths start from; else that of INPUT.")
@click.option(
    "--confine-images", is_flag=True, help="Refuse image paths outside the image root; for tables from others."
)
@click.option("--ocr", is_flag=True, help="Read the words in images where they are not given. Needs crossguard[ocr].")
@click.option(
    "--on-error",
    type=click.Choice(["record", "skip", "stop"]),
    default="record",
    show_default=True,
    help="A post that cannot be scored gets its own record, is left out, or ends the run.",
)
@click.option("--show-text", is_flag=True, help="Show the words of flagged posts, which are masked on a terminal.")
@click.option("--progress/--no-progress", default=None, help="Progress bar; else where stderr is a terminal.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Say which runtime is used and why; name each post that could not be scored."
)
@click.option(
    "--fetch-origin",
    "fetch_origins",
    metavar="ORIGIN",
    multiple=True,
    help="Many files: fetch images named by URL from here, such as https://media.example.com; several times for more.",
)
@click.option("--fetch-private", is_flag=True, help="Many files: such an origin may be at a private address.")
@click.option("--engine", type=click.Choice(["local", "ray"]), help="Many files: on this machine, or on a Ray cluster.")
@click.option("--workers", type=_POSITIVE, help="Many files: how many workers; else by the cores.")
@click.option("--shards", metavar="I/N", help="Many files: only every N-th unit from the I-th, from 0; for array jobs.")
@click.option("--unit-posts", type=_POSITIVE, help="Many files: about how many posts go into a part; else 10,000.")
@click.option("--dry-run", is_flag=True, help="Many files: plan, score a sample, and say what the job would take.")
@click.option(
    "--core-hour-price",
    "price",
    type=Number(min=0),
    metavar="PRICE",
    help="Many files: what a core costs for an hour, to show what the job costs.",
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Many files: a port for Prometheus, without a key.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary.")
def command(
    *,
    sources: tuple[str, ...],
    text: str | None,
    image: str | None,
    image_text: str | None,
    limit: int | None,
    ocr: bool,
    on_error: str,
    out: str | None,
    dry_run: bool,
    price: float | None,
    metrics_port: int | None,
    **others: Any,
) -> int:
    """Score posts. INPUT is a table, a folder of images, or - for stdin; many of them go into a folder.

    \b
    crossguard score --text "Good morning" --image meme.jpg
    crossguard score posts.csv -o decisions.parquet --policy benchmark
    crossguard score posts.jsonl -o decisions.jsonl --resume
    crossguard score posts.csv -o page.html
    crossguard score images/ --ocr
    zcat posts.jsonl.gz | crossguard score - > decisions.jsonl
    crossguard score 's3://bucket/posts/*.parquet' -o decisions/ --dry-run

    Tables are .jsonl, .json, .csv, .tsv, .txt, .parquet or .xlsx, with the columns id, text, image_path, image_text or
    image. One of the last four is enough, and common other names are recognised. Decisions come in the order of the
    posts, as a table on a terminal and as JSON Lines in a pipe. Exit codes: 0 finished, 8 not one
    post could be scored, others an error that stderr names.
    """
    from crossguard.data.formats import STDIN

    columns = {name: others.pop(f"{name}_column") for name in POST_COLUMNS}
    loaded, reading, jobs = ({name: others.pop(name) for name in names} for names in (_LOADED, _READING, _JOBS))
    batch_size = others.pop("batch_size")
    options = steps.Options(**others, out=None if out is None else Path(out))
    single = text is not None or image is not None or image_text is not None
    if text == STDIN:
        raise click.UsageError(
            "--text takes the text itself, and - is none. To score stdin, a post per line: "
            "crossguard score - --input-format txt"
        )
    if not single:
        steps.refuse_a_text(sources)
        if not jobs["fetch_origins"]:
            refuse_idle(("fetch_private",), "without --fetch-origin")
        if any((*jobs.values(), dry_run, price is not None, metrics_port)) or many.wanted(sources, out):
            how = {**loaded, **reading, **jobs, "batch_size": batch_size, "columns": columns, "ocr": ocr}
            idle = (*_OF_ONE_FILE, "on_error") if on_error != "record" else _OF_ONE_FILE
            refuse_idle(idle, "for many files: all records go into a folder, and --resume finishes what is left")
            if not dry_run:
                return many.run(sources, out, options, metrics_port=metrics_port, price=price, **how)
            idle = ("engine", "metrics_port", "resume", "shards")
            refuse_idle(idle, "beside --dry-run, which measures the whole job on this machine")
            return many.estimate(sources, out, options, price=price, **how)
    _check_one(sources, options, single=single)
    _quieten_libraries()
    if options.verbose:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("crossguard").setLevel(logging.INFO)
    if single:
        steps.tell_of_a_file(text or "", options)
        return _score_one((text or "", image, image_text or ""), loaded, options, ocr=ocr)
    how = {"limit": limit, "on_error": on_error, "batch_size": batch_size}
    return _score_file(sources[0], loaded, {**reading, "columns": columns}, options, ocr=ocr, **how)


def _check_one(sources: Sequence[str], options: steps.Options, *, single: bool) -> None:
    """Checks that one post is to be scored, or one file, with options that do something then."""
    if single == bool(sources):
        raise click.UsageError(
            "Give INPUT (- for stdin), or the --text and --image of one post, and not both. "
            "Example: crossguard score --text Hello"
        )
    if single:
        refuse_idle(_NOT_OF_ONE, "for one post")
    if options.resume and options.overwrite:
        raise click.UsageError("--resume continues what is in --out, and --overwrite replaces it. Choose one.")
    if options.resume and options.file is None:
        raise click.UsageError("--resume continues a file, so it needs --out.")


def _quieten_libraries() -> None:
    # Nothing here multiplies with NumPy, whose library else keeps every core busy for a tenth of a second.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Else pydantic looks for plugins in every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    # Pillow comments on images that it decodes nevertheless; what matters becomes the error of a decision.
    warnings.filterwarnings("ignore", module="PIL")


def _score_one(post: tuple[str, str | None, str], loaded: dict[str, Any], options: steps.Options, *, ocr: bool) -> int:
    from crossguard.loading import load

    # A person waits for this one answer: what nothing here needs is not imported, and no garbage is looked for.
    gc.disable()
    try:
        text, image, image_text = post
        characters = len(text) + len(image_text)
        moderator = load(**loaded, one_by_one=True, images_ahead=image is not None, characters_ahead=characters)
        until_exit(moderator)
        steps.score_one(moderator, post, options, ocr=ocr)
    finally:
        gc.freeze()  # else all that was imported is looked through just before the process ends
        gc.enable()
    return 0


def _score_file(
    source: str, loaded: dict[str, Any], reading: dict[str, Any], options: steps.Options, *, ocr: bool, **how: Any
) -> int:
    from crossguard.data.tables import Columns, PostReader
    from crossguard.loading import load

    form, columns = reading.pop("input_format"), Columns(**reading.pop("columns"))
    reader = PostReader(source, format=form, columns=columns, extra=options.keep, **reading)
    steps.refuse_to_read_what_is_written(source, options)
    with steps.word_reader() if ocr else nullcontext() as words:
        return steps.score_many(load(**loaded), reader, options, transform=words, **how)
