"""Cuts the input into units: row groups of Parquet, ranges of lines, whole files where nothing smaller is safe."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO, Final

from crossguard.data.ahead import in_order
from crossguard.data.arrow_rows import ArrowPosts, record_batches
from crossguard.data.columns import Columns
from crossguard.data.delimited_rows import row_starts
from crossguard.data.json_rows import is_json_array
from crossguard.data.lines import line_starts
from crossguard.data.parquet_rows import ParquetPosts
from crossguard.data.post_builder import PostBuilder
from crossguard.data.ranges import PACKED, Ranges, decompressed
from crossguard.data.storage import Entry
from crossguard.data.tables import TEXT_READERS
from crossguard.errors import ChangedError, LockedError, TableError
from crossguard.jobs.sources import InputFile
from crossguard.jobs.units import UNIT, Kind, Unit

# Rows with embedded images are large; a unit of them stays one that can be read again.
UNIT_BYTES: Final = 1 << 30
_FILES_AT_ONCE: Final = 16


def cut_all(sources: Iterable[InputFile], columns: Columns, unit_posts: int) -> Iterator[tuple[InputFile, list[Unit]]]:
    """Yields each source with its units of about `unit_posts` posts, of which a table without rows has none.

    A file that cannot be read becomes a unit with one failed post, so that its loss is on record. Columns are checked
    now, before hours of scoring. Some sources are open at once.
    """

    def cut(source: InputFile) -> tuple[InputFile, list[Unit]]:
        return source, [replace(unit, input=source.input) for unit in _cut(source, columns, unit_posts)]

    yield from in_order(cut, sources, _FILES_AT_ONCE)


def plan_line(source: InputFile, units: Sequence[Unit]) -> bytes:
    """Returns the line of a plan that holds the units of one source."""
    plain = [UNIT.dump_python(unit, exclude={"entry"}, exclude_defaults=True) for unit in units]
    line = {"address": source.storage.address_of(source.entry.path), "entry": asdict(source.entry), "units": plain}
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"


def read_plan(stream: BinaryIO) -> Iterator[tuple[str, Entry, list[Unit]]]:
    """Yields the address of one source after the other, the file, and its units, which are numbered."""
    index = itertools.count()
    for line in stream:
        plain = json.loads(line.decode("utf-8", "surrogateescape"))
        entry = Entry(**plain["entry"])
        yield (
            plain["address"],
            entry,
            [UNIT.validate_python({**each, "entry": entry, "index": next(index)}) for each in plain["units"]],
        )


def _cut(source: InputFile, columns: Columns, unit_posts: int) -> list[Unit]:
    entry = source.entry
    if source.kind == "images":
        return [Unit(entry, "images", rows=len(source.names), names=source.names)]
    if source.kind == "unreadable":
        problem = entry.problem or str(LockedError(source.storage.address_of(entry.path)))
        return [Unit(entry, "unreadable", rows=1, problem=problem)]
    try:
        return _cut_table(source, columns, f"'{source.storage.address_of(entry.path)}'", unit_posts)
    except ChangedError:
        raise
    except TableError as error:
        return [Unit(entry, "unreadable", rows=1, problem=str(error))]


def _cut_table(source: InputFile, columns: Columns, where: str, unit_posts: int) -> list[Unit]:
    entry, kind = source.entry, source.kind
    if not (entry.size or entry.problem):
        raise TableError(f"{where} is empty (0 bytes).")
    with source.storage.open(entry) as file:
        if kind == "parquet":
            return list(_cut_parquet(file, entry, columns, where, unit_posts))
        if kind == "arrow":
            return list(_cut_arrow(source, io.BufferedReader(file), columns, where, unit_posts))
        if kind in TEXT_READERS and not entry.path.lower().endswith(PACKED):
            stream = decompressed(file, entry.path)
            next(TEXT_READERS[kind](stream, PostBuilder(columns, Path()), where), None)
            stream.seek(0)
            return list(_cut_text(stream, entry, kind, where, unit_posts=unit_posts))
        return [Unit(entry, kind)]


def _cut_parquet(file: Ranges, entry: Entry, columns: Columns, where: str, unit_posts: int) -> Iterator[Unit]:
    """Joins small row groups and divides large ones; a part of one costs that the rows before it are read over."""
    groups = ParquetPosts(file, PostBuilder(columns, Path()), where).groups
    per_row = entry.size / max(1, sum(groups))
    most = max(1, min(unit_posts, int(UNIT_BYTES / max(1.0, per_row))))
    first, start = 1, 0
    while start < len(groups):
        stop, rows = start + 1, groups[start]
        while stop < len(groups) and rows + groups[stop] <= most:
            rows += groups[stop]
            stop += 1
        pieces = max(1, round(rows / most))
        for piece in range(pieces):
            skip, end = rows * piece // pieces, rows * (piece + 1) // pieces
            if end > skip:
                yield Unit(entry, "parquet", first=first + skip, rows=end - skip, groups=(start, stop), skip=skip)
        first, start = first + rows, stop


def _cut_arrow(source: InputFile, file: BinaryIO, columns: Columns, where: str, unit_posts: int) -> Iterator[Unit]:
    """Joins record batches; each unit is the schema and a stretch of the file."""
    entry = source.entry
    begin, batches = record_batches(file, where)
    schema = (begin, batches[0].start if batches else entry.size)
    with source.storage.open(entry, [schema]) as header:
        ArrowPosts(header, PostBuilder(columns, Path()), where)
    first, rows, begun, end = 1, 0, begin, begin

    def unit() -> Unit:
        return Unit(entry, "arrow", first=first, rows=rows, ranges=(schema, (begun, end)))

    for batch in batches:
        if rows and (rows + batch.rows > unit_posts or batch.stop - begun > UNIT_BYTES):
            yield unit()
            first, rows = first + rows, 0
        if not rows:
            begun = batch.start
        rows, end = rows + batch.rows, batch.stop
    if rows:
        yield unit()


def _cut_text(stream: BinaryIO, entry: Entry, kind: Kind, where: str, *, unit_posts: int) -> Iterator[Unit]:
    if kind == "jsonl" and is_json_array(stream):
        yield Unit(entry, kind)
        return
    stream.seek(0)
    starts = row_starts(stream, where) if kind == "csv" else line_starts(stream)
    header = next(starts)[0] if kind == "csv" else 0
    begun = first = rows = 0

    def unit(stop: int) -> Unit:
        ranges = ((0, header), (begun, stop)) if header else ((begun, stop),)
        return Unit(entry, kind, first=first, rows=rows, ranges=ranges)

    for offset, line in starts:
        if rows and (rows >= unit_posts or offset - begun >= UNIT_BYTES):
            yield unit(offset)
            rows = 0
        if not rows:
            begun, first = offset, line
        rows += 1
    if rows:
        yield unit(entry.size)
