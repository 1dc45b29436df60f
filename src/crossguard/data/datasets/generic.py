"""Any table of one's own, in any format that can be scored, with the columns of a training table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossguard.data.datasets.rows import FIXED, Dataset, Row
from crossguard.data.tables import read_rows
from crossguard.errors import TableError, suggest


def dataset(path: Path) -> Dataset:
    """Returns a reader for one file; every column that is not one of `FIXED` is a label.

    Raises:
        TableError: The file is missing, of an unknown kind, empty, or has no column of text or image.
    """
    first = next(_entries(path), None)
    if first is None:
        raise TableError(f"{path} holds no rows.")
    labels = tuple(name for name in first if name not in FIXED)
    if not {"text", "image_text", "image_path"} & set(first):
        raise TableError(f"{path} needs a column text, image_text or image_path.{suggest('text', first)}")
    return Dataset(
        "table", labels, lambda raw: (_row(entry, n, raw, labels) for n, entry in enumerate(_entries(raw))), "", "", ""
    )


def _row(entry: dict[str, Any], number: int, path: Path, labels: tuple[str, ...]) -> Row:
    known = {name: _share(entry.get(name), name, number, path) for name in labels}
    values = {name: share for name, share in known.items() if share is not None}
    image = str(entry.get("image_path") or "")
    return Row(
        str(entry.get("id") or f"row-{number}"),
        str(entry.get("text") or ""),
        str(entry.get("image_text") or ""),
        path.parent / image if image else None,
        str(entry.get("split") or "train"),
        values,
        _share(entry.get("hateful"), "hateful", number, path),
        str(entry.get("stratum") or ""),
        annotated=bool(values) or entry.get("hateful") not in {None, ""},
    )


def _share(value: Any, name: str, number: int, path: Path) -> float | None:
    if value is None or value == "":
        return None
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share <= 1:
        raise TableError(
            f"{path}, row {number}: '{name}' must be a number from 0 to 1, or empty where unknown, and is {value!r}. "
            f"Columns other than {', '.join(FIXED)} are taken for labels."
        )
    return share


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise TableError(
            f"{path} is not a file. `crossguard prepare table` takes a .jsonl, .csv, .parquet or .xlsx file."
        )
    return read_rows(path)
