"""`crossguard report`: a file of results as a page to look at."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from crossguard.cli.options import (
    PATH,
    columns_of,
    out_option,
    overwrite_option,
    reading_options,
    refuse_idle,
    renamed,
)
from crossguard.cli.telling import tell
from crossguard.errors import TableError
from crossguard.saving import check_folder_takes, refuse_existing, whole_file


def _page_file(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Returns the path of a page; under another name, no browser would show what it holds."""
    if value is not None and value.suffix.lower() not in {".html", ".htm"}:
        told = f"The page is HTML, and '{value}' does not end in .html. Write: -o {renamed(value, '.html')}"
        raise click.BadParameter(told, context, parameter)
    return value


@click.command("report")
@click.argument("results", type=PATH)
@out_option(type=PATH, callback=_page_file, help="The page, NAME.html; else RESULTS with the suffix .html.")
@click.option(
    "--posts", metavar="INPUT", help="What was scored, to show texts and images that the results did not keep."
)
@reading_options("INPUT", ["jsonl", "csv", "txt", "parquet", "xlsx", "folder"])
@click.option("--image-root", type=PATH, help="Folder that relative image paths start from; else that of INPUT.")
@click.option("--title", help="Heading of the page; else the name of RESULTS.")
@overwrite_option
def command(
    *,
    results: Path,
    out: Path | None,
    posts: str | None,
    input_format: str | None,
    image_root: Path | None,
    title: str | None,
    overwrite: bool,
    **columns: Any,
) -> None:
    """Turn RESULTS of `crossguard score` (.jsonl, .csv, .parquet, .xlsx) into an HTML page.

    The page sorts and filters without a server; words of flagged posts are masked and images blurred until asked for.
    Texts are shown where the results were written with --keep, or with --posts INPUT, read by the options it was scored
    with.

    \b
    crossguard report decisions.jsonl
    crossguard report decisions.csv --posts posts.csv -o page.html
    """
    from crossguard.data.page import write_page
    from crossguard.data.tables import PostReader
    from crossguard.data.writing import read_decisions
    from crossguard.scoring import with_posts

    if posts is None:
        refuse_idle(("input_format", "image_root", *columns), "without --posts")
    target = out or renamed(results, ".html")
    refuse_existing(target, overwrite=overwrite, inputs=(results, posts))
    decisions = read_decisions(results)
    if (first := next(decisions, None)) is None:
        raise TableError(f"'{results}' holds no results. Write some with: crossguard score POSTS -o RESULTS")
    decisions = chain([first], decisions)
    if posts is not None:
        reader = PostReader(posts, format=input_format, columns=columns_of(columns), image_root=image_root)
        decisions = with_posts(decisions, reader)
    check_folder_takes(target)
    with whole_file(target) as unfinished:
        write_page(decisions, unfinished, title or results.name)
    tell(f"page: {target}")
