"""Parquet, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossguard.data.columns import PostBuilder
from crossguard.errors import MissingExtraError, TableError
from crossguard.records import Post

_ROWS = 64
_BUFFER_BYTES = 1 << 20


class ParquetPosts:
    """The posts of one Parquet file.

    Attributes:
        rows: How many there are.
    """

    def __init__(self, path: Path, builder: PostBuilder, where: str) -> None:
        """Opens the file and checks its columns.

        Raises:
            MissingExtraError: pyarrow is not installed.
            TableError: The file is not Parquet, or lacks or doubles a column.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise MissingExtraError("Reading Parquet", "parquet") from None
        try:
            # Without these two a whole row group would be held in memory.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{where} cannot be read as Parquet: {_first_line(error)}.") from None
        names = self._file.schema_arrow.names
        builder.columns.check_header(names, where)
        self._used = [name for name in builder.columns.names if name in names]
        self._builder = builder
        self._where = where
        self.rows = int(self._file.metadata.num_rows)

    def __iter__(self) -> Iterator[Post]:
        import pyarrow as pa

        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=_ROWS, columns=self._used):
                for row in _rows(batch):
                    number += 1
                    if row is None:
                        yield Post.failed(f"row-{number}", "invalid_utf8", f"Row {number}: not valid UTF-8.")
                    else:
                        yield self._builder.build(row, f"row-{number}")
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{self._where} is damaged after row {number}: {_first_line(error)}.") from None
        finally:
            self._file.close()


def _rows(batch: Any) -> Iterator[dict[str, Any] | None]:
    """Yields the rows of a record batch; None for one that holds a text that is not UTF-8."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for index in range(len(batch)):
            try:
                yield batch.slice(index, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
