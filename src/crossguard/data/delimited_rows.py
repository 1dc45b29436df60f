"""Posts from CSV and its cousins."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Final

from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8, ByteLines, Lines, LineTooLong, ends_in_cr, is_utf8
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import TableError, number_of
from crossguard.records import Post

# How long a row of several lines may be, which is kept in memory and read again where its quote is never closed.
MAX_ROW_BYTES: Final = 16 * 1024 * 1024  # in memory up to nine times as many, where each line has an emoji
MAX_ROW_LINES: Final = 1_000_000
# More lines than posts have; a longer row may be many, between a missing quote and the next one.
_LONG_ROW: Final = 2000
# Without the parser's own words, which depend on the lines behind: a file that is cut here reads the same.
_MALFORMED: Final = (
    "not valid CSV; a quote may be missing or misplaced, or a row of several lines is longer than "
    f"{MAX_ROW_BYTES:,} bytes or {MAX_ROW_LINES:,} lines."
)
_DELIMITERS: Final = ",;\t|"
# A first line by which Excel tells the delimiter.
_EXCEL_DELIMITER: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)
# Of a table with one column, whose texts may hold all of those: a character that none does.
_NO_DELIMITER: Final = "\x1f"


def read_delimited(stream: ByteLines, builder: PostBuilder, where: str, first_line: int = 1) -> Iterator[Post]:
    """Yields a post per row; a row that cannot be read yields a failed post named after its first line, `line-N`.

    A quote that is never closed costs the row in which it stands; the lines behind it are read again. Between tabs, a
    quote may also be a mark like every other. A part of a file comes behind the header.
    """
    lines = Lines(stream)
    header, delimiter = _header(lines, where)
    builder.open(header, where, "lines")
    lines.number = max(lines.number, first_line - 1)
    told = False
    for start, row in _delimited_rows(lines, delimiter, len(header)):
        if isinstance(row, Post):
            yield row
        elif not row:
            continue
        elif len(row) != len(header):
            yield lines.failed("row_ragged", _ragged(len(row), len(header)), start)
        elif not all(map(is_utf8, row)):
            yield lines.failed("invalid_utf8", NOT_UTF8, start)
        else:
            count = lines.number - start + 1
            if count > _LONG_ROW and not told:
                builder.tell([_maybe_many(start, count)])
                told = True
            yield builder.build(dict(zip(header, row, strict=True)), f"line-{start}")


def _maybe_many(start: int, lines: int) -> str:
    return f"the row at line {start:,} has {lines:,} lines; if these are many posts, a quote is missing in that line"


def _ragged(cells: int, columns: int) -> str:
    message = f"has {number_of(cells, 'cell')} where the header has {columns}."
    if cells > columns:
        message += " Quote a text that contains the delimiter; in R, write the table with row.names=FALSE."
    return message


def _delimited_rows(lines: Lines, delimiter: str, columns: int) -> Iterator[tuple[int, list[str] | Post]]:
    """Yields the first line of each row, and its cells, none for an empty line; a failed post for a bad row."""
    # The default of 131,072 characters is too small for long posts and `data:` URLs; the csv module has one global.
    csv.field_size_limit(MAX_LINE_BYTES)
    while True:
        start = lines.number + 1
        taken: list[str] = []
        behind: list[LineTooLong] = []
        try:
            cells: list[str] | None = next(csv.reader(_row_lines(lines, taken), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except LineTooLong as line:
            if not taken:
                yield start, lines.too_long(start)
                continue
            behind.append(line)
            cells = None
        except csv.Error:
            cells = None
        # Of a quote that is not closed, how far it was read depends on where the file ends: its own line says it all.
        if (cells is None or len(taken) > 1) and _are_rows(taken if cells else taken[:1], delimiter, columns):
            lines.give_back([*taken[1:], *behind])
            cells = taken[0].rstrip("\r\n").split(delimiter)
        if cells is None:
            # Given back first: whoever asks where the next row begins must hear so now.
            lines.give_back([*taken[1:], *behind])
            yield start, lines.failed("line_malformed", _MALFORMED, start)
            continue
        yield start, cells


def _are_rows(taken: list[str], delimiter: str, columns: int) -> bool:
    """Returns whether each line is a row of its own, whatever its quotes say: few texts hold just as many tabs."""
    return delimiter == "\t" and all(line.count(delimiter) == columns - 1 for line in taken)


def row_starts(stream: ByteLines, where: str) -> Iterator[tuple[int, int]]:
    """Yields the end of the header, and where each post begins: byte and line; a file may be cut there."""
    lines = Lines(stream)
    header, delimiter = _header(lines, where)
    offset = lines.offset
    yield offset, lines.number + 1
    for start, row in _delimited_rows(lines, delimiter, len(header)):
        if row:
            yield offset, start
        offset = lines.offset


def _row_lines(lines: Lines, taken: list[str]) -> Iterator[str]:
    """Yields the lines of one row and keeps them, so that they can be given back.

    However many quotes stay open, a line is read few times: what opens a quote where lines are read again would have
    closed the one before.

    Raises:
        csv.Error: A quote is open for longer than a row may be.
    """
    begin = lines.offset
    for line in lines:
        taken.append(line)
        if len(taken) > 1 and (len(taken) > MAX_ROW_LINES or lines.offset - begin > MAX_ROW_BYTES):
            raise csv.Error("a quote is open for too long")
        yield line


def _header(lines: Lines, where: str) -> tuple[list[str], str]:
    try:
        line = next(lines)
        while not line.strip():
            line = next(lines)
        told = _EXCEL_DELIMITER.fullmatch(line)
        line = next(lines) if told else line
        delimiter = told[1] if told else max(_DELIMITERS, key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
        return names, delimiter if len(names) > 1 else _NO_DELIMITER
    except StopIteration:
        raise TableError(f"{where} has no header line.") from None
    except LineTooLong:
        raise TableError(f"The header of {where} is longer than {MAX_LINE_BYTES:,} bytes.") from None
    except csv.Error as error:
        if "\r" in line.rstrip("\r\n"):
            raise ends_in_cr(where) from None
        is_open = line.count('"') % 2
        hint = " The name of a column has a line break or an open quote: write it in one line." if is_open else ""
        raise TableError(f"The header of {where} cannot be read: {error}.{hint}") from None
