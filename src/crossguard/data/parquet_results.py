"""Decisions as a Parquet file of flat rows."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from crossguard.data.outcomes import flat_columns, from_flat, labels_of, to_flat
from crossguard.errors import MissingExtraError, OutputError
from crossguard.records import Decision

T = TypeVar("T")

# Rows are dictionaries for a moment only, and row groups large enough that readers are quick.
_ROWS = 2048
_BATCHES_PER_GROUP = 32


def require_pyarrow() -> None:
    """Checks that Parquet can be written, before hours of scoring.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - only whether it is there
    except ImportError:
        raise MissingExtraError("Writing Parquet", "parquet") from None


def write_parquet(decisions: Iterable[Decision], labels: Sequence[str], path: Path) -> None:
    """Writes all decisions; the file appears under its name only when it is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(labels)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            flat = _batched(map(to_flat, decisions), _ROWS)
            for group in _batched(
                (pa.RecordBatch.from_pylist(rows, schema=schema) for rows in flat), _BATCHES_PER_GROUP
            ):
                writer.write_table(pa.Table.from_batches(group))
        os.replace(unfinished, path)  # noqa: PTH105 - Path.replace is the same
    finally:
        unfinished.unlink(missing_ok=True)


def read_parquet(path: Path) -> Iterator[Decision]:
    """Yields the decisions of a file that `write_parquet` wrote.

    Raises:
        OutputError: The file is something else, or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            labels = labels_of(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_ROWS, columns=list(flat_columns(labels))):
                yield from map(from_flat, batch.to_pylist())
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise OutputError(f"'{path}' is not a result that Crossguard wrote, or it is damaged: {error}") from None


def _schema(labels: Sequence[str]) -> Any:
    import pyarrow as pa

    def kind(column: str) -> Any:
        if column in {"flags", "notes"}:
            return pa.list_(pa.string())
        if column == "schema_version":
            return pa.int64()
        number = column.startswith(("score_", "threshold_")) or column.endswith("_weight")
        return pa.float64() if number else pa.string()

    return pa.schema([(column, kind(column)) for column in flat_columns(labels)])


def _batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(itertools.islice(items, size)):
        yield batch
