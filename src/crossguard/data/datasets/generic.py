"""Any table of one's own, in any format that can be scored, with the columns of a training table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from crossguard.data.cells import Shares, holds_shares, names_in
from crossguard.data.columns import OwnColumns
from crossguard.data.datasets.rows import FIXED, Dataset, Row
from crossguard.data.image_sources import is_data_url
from crossguard.data.post_builder import AnyBuilder, PostBuilder, notes_of_unread, notes_of_words
from crossguard.data.stored_posts import open_posts
from crossguard.data.tables import PostReader, readable
from crossguard.errors import TableError, suggest

# So many rows are looked at to find out what the columns hold.
_FIRST: Final = 100


def dataset(path: Path, wanted: Sequence[str] = ()) -> Dataset:
    """Returns a reader for a table or a folder of tables.

    Args:
        path: The table.
        wanted: The columns that are labels; when none is named, all that are neither `FIXED` nor part of a post.

    Raises:
        TableError: It is missing, of an unknown kind, empty, has no column of text or image, none that is wanted, or
            `hateful` in place of a label.
    """
    builder = AnyBuilder(OwnColumns(), path.parent, extra=True)
    cells = _first_cells(path, builder)
    if not set(builder.found) - {"id", "image"}:
        texts = [name for name, values in cells.items() if name not in wanted and not holds_shares(values)]
        raise TableError(f"{path} needs a column text, image_text or image_path: rename yours.{suggest('text', texts)}")
    header = cells.keys()
    others = tuple(name for name in header if name not in FIXED)
    if "hateful" in header and ("hateful" in wanted or not others):
        raise TableError(
            f"{path}: 'hateful' is no label for training: it says of a post with labels whether it is hateful at all. "
            "To train on it, rename the column, such as to is_hate."
        )
    for name in wanted:
        if name not in others:
            known = f" Read without being named: {', '.join(FIXED)}." if name in FIXED else suggest(name, others)
            raise TableError(f"{path} has no column '{name}' for a label.{known}")
    labels = tuple(wanted) or others
    rest = {name: values for name, values in cells.items() if name not in labels}
    unread = notes_of_unread([name for name in builder.header if name not in labels], builder.found, builder.columns)
    unread += notes_of_words(rest, builder.found, builder.columns)
    return Dataset(
        "table", labels, partial(annotated_rows, labels=labels, named=bool(wanted)), "", "", caution="; ".join(unread)
    )


def _first_cells(path: Path, builder: PostBuilder) -> dict[str, list[Any]]:
    """Returns the columns of a table beside those of a post, and the cells of its first rows in each."""
    posts = open_posts(path, builder)
    # The objects of JSON, and the files of a folder, may differ in their columns; the rows of one table do not.
    one_shape = isinstance(posts, PostReader) and posts.format != "jsonl"
    cells: dict[str, list[Any]] = {}
    number = 0
    for number, post in enumerate(itertools.islice(posts, _FIRST if one_shape else None), start=1):
        if one_shape and number > 1 and post.error is not None:
            break  # it is told when all rows are read
        for row in readable([post], path):
            for name, cell in row.extra.items():
                known = cells.setdefault(name, [])
                if number <= _FIRST:
                    known.append(cell)
    if not number:
        raise TableError(f"{path} holds no rows.")
    return cells


def annotated_rows(path: Path, labels: Sequence[str], *, named: bool = True) -> Iterator[Row]:
    """Yields the posts of a table with these labels; `named` where somebody said that these columns are labels.

    Raises:
        TableError: A row cannot be read, or a cell of a label is no share; the latter once all rows were read.
    """
    posts, shares = open_posts(path, AnyBuilder(OwnColumns(), path.parent, extra=True)), Shares(path)
    for number, post in enumerate(readable(posts, path), start=1):
        where = f"Row {number} ('{post.id}')"
        known = {name: shares.read(post.extra.get(name), name, where) for name in ("hateful", *labels)}
        hateful, *own = (None if math.isnan(share) else share for share in known.values())
        values = {name: share for name, share in zip(labels, own, strict=True) if share is not None}
        yield Row(
            post.id,
            post.text,
            post.image_text,
            _file(post.image, where),
            ", ".join(names_in(post.extra.get("split"))) or "train",
            values,
            hateful,
            str(post.extra.get("stratum") or ""),
            annotated=bool(values) or hateful is not None,
        )
    right = " ".join(f"--label '{name}'" for name in labels if name not in shares.wrong) or "--label COLUMN"
    shares.check(
        "" if named else f" If a column is no label, name those that are, such as: crossguard prepare table {right}"
    )


def _file(image: object, where: str) -> Path | None:
    if image is None or (isinstance(image, str) and not is_data_url(image)):
        return Path(image) if image else None
    raise TableError(
        f"{where} holds its image itself, and training reads images from files: write each to a file, and name that in "
        "a column image_path in place of this one. To train on the texts alone, leave the column out."
    )
