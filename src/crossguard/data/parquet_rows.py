"""Posts from Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crossguard.data.arrow_batches import ROWS, look_at, posts_of, unused_texts
from crossguard.data.post_builder import LOOKED_AT, PostBuilder
from crossguard.errors import TableError, as_sentence, needs_extra
from crossguard.records import Post

# How a file is opened: otherwise a whole row group would be held in memory.
IN_PIECES: Final[dict[str, Any]] = {"pre_buffer": False, "buffer_size": 1 << 20}


class ParquetPosts:
    """The posts of one Parquet file, a few rows at a time."""

    def __init__(self, source: Any, builder: PostBuilder, where: str) -> None:
        """Opens the file, by its path or as a file object, and checks its columns.

        Raises:
            TableError: The file is not Parquet, or lacks or doubles a column.
        """
        with needs_extra("Reading Parquet", "parquet"):
            import pyarrow as pa
            import pyarrow.parquet as pq
        try:
            self._file = pq.ParquetFile(source, **IN_PIECES)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{where} cannot be read as Parquet: {as_sentence(error)}") from None
        names = self._file.schema_arrow.names
        found = builder.open(names, where)
        self._used = None if builder.extra else list(found.values())
        self._builder = builder
        self._where = where
        metadata = self._file.metadata
        self.rows = int(metadata.num_rows)
        self.groups = [int(metadata.row_group(place).num_rows) for place in range(metadata.num_row_groups)]

    def __iter__(self) -> Iterator[Post]:
        return self.read(range(len(self.groups)))

    def read(self, groups: range, skip: int = 0) -> Iterator[Post]:
        """Yields the posts of some row groups, without the first `skip`; closes the file at the end."""
        batches = self._file.iter_batches(batch_size=ROWS, row_groups=groups, columns=self._used)
        first = sum(self.groups[: groups.start]) + 1
        try:
            if others := unused_texts(self._file.schema_arrow, self._builder):
                some = self._file.iter_batches(batch_size=LOOKED_AT, row_groups=groups[:1], columns=others)
                look_at(some, self._builder)
            yield from posts_of(batches, self._builder, self._where, first, skip)
        finally:
            self._file.close()
