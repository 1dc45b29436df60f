"""Any table of one's own, in any format that can be scored, with the columns of a training table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossguard.data.columns import AnyBuilder, Columns, share_of
from crossguard.data.datasets.rows import FIXED, Dataset, Row
from crossguard.data.tables import PostReader, readable
from crossguard.errors import TableError, suggest
from crossguard.records import Post


def dataset(path: Path) -> Dataset:
    """Returns a reader for one file; every column that is neither one of `FIXED` nor part of the post is a label.

    Raises:
        TableError: The file is missing, of an unknown kind, empty, or has no column of text or image.
    """
    builder = AnyBuilder(Columns(), path.parent, extra=True)
    if next(_posts(path, builder), None) is None:
        raise TableError(f"{path} holds no rows.")
    if not set(builder.found) - {"id", "image"}:
        raise TableError(f"{path} needs a column text, image_text or image_path.{suggest('text', builder.header)}")
    labels = tuple(name for name in builder.header if name not in {*FIXED, *builder.found.values()})
    return Dataset("table", labels, partial(_rows, labels=labels), "", "", "")


def _rows(path: Path, labels: Sequence[str]) -> Iterator[Row]:
    for number, post in enumerate(_posts(path, AnyBuilder(Columns(), path.parent, extra=True))):
        known = {name: _share(post.extra.get(name), name, number, path) for name in ("hateful", *labels)}
        hateful, *shares = (None if math.isnan(share) else share for share in known.values())
        values = {name: share for name, share in zip(labels, shares, strict=True) if share is not None}
        yield Row(
            post.id,
            post.text,
            post.image_text,
            Path(post.image) if isinstance(post.image, str) else None,
            str(post.extra.get("split") or "train"),
            values,
            hateful,
            str(post.extra.get("stratum") or ""),
            annotated=bool(values) or hateful is not None,
        )


def _share(value: Any, name: str, number: int, path: Path) -> float:
    try:
        return share_of(value, name, f"{path}, row {number}")
    except TableError as error:
        raise TableError(f"{error} Columns other than {', '.join(FIXED)} are taken for labels.") from None


def _posts(path: Path, builder: AnyBuilder) -> Iterator[Post]:
    if not path.is_file():
        raise TableError(f"{path} is not a file. A table of annotated posts is a .jsonl, .csv, .parquet or .xlsx file.")
    return readable(PostReader(path, builder=builder), path)
