"""Any table of one's own, in any format that can be scored, with the columns of a training table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossguard.data.cells import share_of
from crossguard.data.columns import Columns
from crossguard.data.datasets.rows import FIXED, Dataset, Row
from crossguard.data.post_builder import AnyBuilder
from crossguard.data.stored_posts import open_posts
from crossguard.data.tables import readable
from crossguard.errors import TableError, suggest


def dataset(path: Path) -> Dataset:
    """Returns a reader for a table or a folder of tables; what is neither one of `FIXED` nor part of a post is a label.

    Raises:
        TableError: It is missing, of an unknown kind, empty, or has no column of text or image.
    """
    builder = AnyBuilder(Columns(), path.parent, extra=True)
    if next(readable(open_posts(path, builder), path), None) is None:
        raise TableError(f"{path} holds no rows.")
    if not set(builder.found) - {"id", "image"}:
        raise TableError(f"{path} needs a column text, image_text or image_path.{suggest('text', builder.header)}")
    labels = tuple(name for name in builder.header if name not in {*FIXED, *builder.found.values()})
    return Dataset("table", labels, partial(_rows, labels=labels), "", "", "")


def _rows(path: Path, labels: Sequence[str]) -> Iterator[Row]:
    posts = open_posts(path, AnyBuilder(Columns(), path.parent, extra=True))
    for number, post in enumerate(readable(posts, path), start=1):
        where = f"{path}, row {number} ('{post.id}')"
        known = {name: _share(post.extra.get(name), name, where) for name in ("hateful", *labels)}
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


def _share(value: Any, name: str, where: str) -> float:
    try:
        return share_of(value, name, where)
    except TableError as error:
        raise TableError(f"{error} Columns other than {', '.join(FIXED)} are taken for labels.") from None
