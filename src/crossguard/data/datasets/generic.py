"""Any table of one's own, in any format that can be scored, with the columns of a training table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossguard.data.columns import Columns, share_of
from crossguard.data.datasets.rows import FIXED, Dataset, Row
from crossguard.data.tables import read_rows
from crossguard.errors import TableError, suggest


def dataset(path: Path) -> Dataset:
    """Returns a reader for one file; every column that is neither one of `FIXED` nor part of the post is a label.

    Raises:
        TableError: The file is missing, of an unknown kind, empty, or has no column of text or image.
    """
    first = next(_entries(path), None)
    if first is None:
        raise TableError(f"{path} holds no rows.")
    columns = {meaning: name for meaning, name in Columns().match(first, str(path)).items() if meaning != "image"}
    if not set(columns) - {"id"}:
        raise TableError(f"{path} needs a column text, image_text or image_path.{suggest('text', first)}")
    labels = tuple(name for name in first if name not in {*FIXED, *columns.values()})
    read = partial(_rows, columns=columns, labels=labels)
    return Dataset("table", labels, read, "", "", "")


def _rows(path: Path, columns: Mapping[str, str], labels: Sequence[str]) -> Iterator[Row]:
    for number, entry in enumerate(_entries(path)):
        known = {name: _share(entry.get(name), name, number, path) for name in ("hateful", *labels)}
        values = {name: share for name, share in known.items() if name != "hateful" and not math.isnan(share)}
        hateful = None if math.isnan(known["hateful"]) else known["hateful"]
        post = {meaning: str(entry.get(name) or "") for meaning, name in columns.items()}
        image = post.get("image_path", "")
        yield Row(
            post.get("id") or f"row-{number}",
            post.get("text", ""),
            post.get("image_text", ""),
            path.parent / image if image else None,
            str(entry.get("split") or "train"),
            values,
            hateful,
            str(entry.get("stratum") or ""),
            annotated=bool(values) or hateful is not None,
        )


def _share(value: Any, name: str, number: int, path: Path) -> float:
    try:
        return share_of(value, name, f"{path}, row {number}")
    except TableError as error:
        raise TableError(f"{error} Columns other than {', '.join(FIXED)} are taken for labels.") from None


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise TableError(f"{path} is not a file. A table of annotated posts is a .jsonl, .csv, .parquet or .xlsx file.")
    return read_rows(path)
