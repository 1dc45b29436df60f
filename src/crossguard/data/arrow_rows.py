"""Posts from Arrow files: streams, as `save_to_disk` of Hugging Face writes them, and files, as Feather does."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

from crossguard.data.arrow_batches import look_at, posts_of, unused_texts
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import TableError, as_sentence, needs_extra
from crossguard.records import Post

# A file is this sign, a stream, and a footer, which says nothing that the stream does not.
_FILE_SIGN: Final = b"ARROW1\0\0"
_CONTINUES: Final = 0xFFFFFFFF
_DICTIONARY: Final = 2
_RECORDS: Final = 3


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Where some rows lie in a file: the first byte, the one behind the last, and how many rows there are."""

    start: int
    stop: int
    rows: int


class ArrowPosts:
    """The posts of an Arrow stream: its schema, and all or some of its record batches."""

    def __init__(self, source: Any, builder: PostBuilder, where: str) -> None:
        """Opens the stream, a file object with or without the sign of a file before it, and checks its columns.

        Raises:
            TableError: It is not Arrow, or lacks or doubles a column.
        """
        with needs_extra("Reading Arrow files", "parquet"):
            import pyarrow as pa
        try:
            if source.read(len(_FILE_SIGN)) != _FILE_SIGN:
                source.seek(0)
            self._stream = pa.ipc.open_stream(source)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{where} cannot be read as Arrow: {as_sentence(error)}") from None
        self._found = builder.open(self._stream.schema.names, where)
        self._builder = builder
        self._where = where

    def read(self, first: int = 1) -> Iterator[Post]:
        """Returns the posts; `first` is the number of the first row."""
        batches = self._stream if self._builder.extra else self._used()
        return posts_of(batches, self._builder, self._where, first)

    def _used(self) -> Iterator[Any]:
        """Yields the record batches with the columns that posts are made of."""
        used = list(self._found.values())
        for batch in self._stream:
            if others := unused_texts(batch.schema, self._builder):
                look_at(iter([batch.select(others)]), self._builder)
            yield batch.select(used)


def record_batches(file: IO[bytes], where: str) -> tuple[int, list[RecordBatch]]:
    """Finds the record batches of a stream or file by their headers; rows are not read.

    Returns:
        The first byte of the schema, and the batches. What stands between is needed to read any of them.

    Raises:
        TableError: It is not Arrow, is cut, or changes its dictionaries midway.
    """
    try:
        begin = position = len(_FILE_SIGN) if file.read(len(_FILE_SIGN)) == _FILE_SIGN else 0
        batches: list[RecordBatch] = []
        while (header := _header(file, position)) is not None:
            kind, rows, stop = header
            if kind == _RECORDS:
                batches.append(RecordBatch(position, stop, rows))
            elif kind == _DICTIONARY and batches:
                raise TableError(f"{where} changes its dictionaries midway. Write it without, or as Parquet.")
            position = stop
    except (struct.error, ValueError) as error:
        raise TableError(f"{where} cannot be read as Arrow: {as_sentence(error)}") from None
    return begin, batches


def _header(file: IO[bytes], position: int) -> tuple[int, int, int] | None:
    """Returns kind, rows and end of the message at a position, from its flatbuffer (format/Message.fbs of Arrow)."""
    file.seek(position)
    prefix = file.read(8)
    if not prefix:
        return None
    marker, size = struct.unpack("<Ii", prefix)
    if size == 0:
        return None
    if marker != _CONTINUES or size < 0:
        raise ValueError("no message where one should be")
    content = file.read(size)
    message = struct.unpack_from("<I", content)[0]
    kind = _field(content, message, 1, "<B")
    body = _field(content, message, 3, "<q")
    rows = 0
    if kind == _RECORDS and (place := _field_place(content, message, 2)):
        rows = _field(content, place + struct.unpack_from("<I", content, place)[0], 0, "<q")
    if body < 0 or rows < 0:
        raise ValueError("a message of negative length")
    return kind, rows, position + 8 + size + body


def _field_place(content: bytes, table: int, number: int) -> int:
    """Returns where a field of a flatbuffer's table lies; 0 where it has its default."""
    fields = table - struct.unpack_from("<i", content, table)[0]
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", content, fields)[0]:
        return 0
    offset = struct.unpack_from("<H", content, fields + slot)[0]
    return table + int(offset) if offset else 0


def _field(content: bytes, table: int, number: int, layout: str) -> int:
    place = _field_place(content, table, number)
    return int(struct.unpack_from(layout, content, place)[0]) if place else 0
