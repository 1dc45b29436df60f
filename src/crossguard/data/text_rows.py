"""Posts from text files of any size: JSON Lines, a JSON array, CSV and its cousins, and plain lines."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Protocol

from crossguard.data.columns import PostBuilder
from crossguard.errors import PostError, TableError
from crossguard.records import Post

# An image of the largest size that is decoded fits as a `data:` URL.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
# More lines than a post has, and few enough to read again when a quote was never closed.
MAX_ROW_LINES: Final = 2000
_CHUNK: Final = 1 << 20
_DELIMITERS: Final = ",;\t|"
# A first line by which Excel tells the delimiter.
_EXCEL_DELIMITER: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)
# Of a table with one column, whose texts may hold all of those: a character that none does.
_NO_DELIMITER: Final = "\x1f"
_PRINTABLE: Final = frozenset(range(0x21, 0x7F))
_EXCEL: Final = "or save it from Excel as 'CSV UTF-8'"
NOT_UTF8: Final = f"not valid UTF-8. Convert the file: iconv -f WINDOWS-1252 -t UTF-8 IN > OUT; {_EXCEL}."
NOT_UTF16: Final = f"The file is UTF-16, and must be UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 IN > OUT; {_EXCEL}."


class ByteLines(Protocol):
    """What a binary file can do that is needed here."""

    def readline(self, size: int, /) -> bytes:
        """Returns a line with its end, or its first `size` bytes."""


class LineTooLong(Exception):  # noqa: N818 - control flow in this module, never shown
    """A line is longer than what is kept in memory; it was read over."""


class Lines:
    """Iterates over decoded lines; goes on after an exception, and knows the number of the last line.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`), so one bad line does not end the file.

    Attributes:
        number: Of the last line, from 1.
        offset: Where the next line begins, in bytes.
    """

    def __init__(self, stream: ByteLines, limit: int = MAX_LINE_BYTES, *, number: int = 0) -> None:
        self.stream = stream
        self._limit = limit
        self._again: deque[str] = deque()
        self.number = number
        self.offset = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            self.number += 1
            self.offset += _size(self._again[0])
            return self._again.popleft()
        line = self.stream.readline(self._limit + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.offset += len(line)
        if len(line) > self._limit:
            while line and not line.endswith(b"\n"):
                line = self.stream.readline(self._limit)
                self.offset += len(line)
            raise LineTooLong
        if self.number == 1:
            line = _without_mark(line)
        return line.decode("utf-8", "surrogateescape")

    def give_back(self, lines: list[str]) -> None:
        """Puts the last lines back, to be read again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)
        self.offset -= sum(map(_size, lines))


def read_jsonl(stream: ByteLines, builder: PostBuilder, where: str, first_line: int = 1) -> Iterator[Post]:
    """Yields a post per line, or per item of a JSON array; a line that cannot be read yields a failed post `line-N`.

    Raises:
        TableError: The file is UTF-16, its first object has none of the columns, or an array is damaged.
    """
    lines = Lines(stream, number=first_line - 1)
    first = first_line == 1
    for line in _each(lines):
        if isinstance(line, Post):
            yield line
            continue
        if not line.strip():
            continue
        if first and line.lstrip().startswith("[") and _is_array(line):
            yield from _read_array(lines, line.lstrip()[1:], builder, where)
            return
        try:
            row = _parse(line)
        except PostError as error:
            yield _failed(lines.number, lines.number, error.code, str(error))
            continue
        if first:
            builder.check_first(row, f"The first object of {where}")
            first = False
        yield builder.build(row, f"line-{lines.number}")


def read_lines(
    stream: ByteLines,
    builder: PostBuilder,  # noqa: ARG001 - as the others
    where: str,  # noqa: ARG001
    first_line: int = 1,
) -> Iterator[Post]:
    """Yields a post per line of plain text; empty lines are none. Arguments as for `read_jsonl`.

    Raises:
        TableError: The file is UTF-16.
    """
    lines = Lines(stream, number=first_line - 1)
    for line in _each(lines):
        if isinstance(line, Post):
            yield line
        elif not _is_utf8(line):
            yield _failed(lines.number, lines.number, "invalid_utf8", NOT_UTF8)
        elif line.strip():
            yield Post(f"line-{lines.number}", line.rstrip("\r\n"))


def _each(lines: Lines) -> Iterator[str | Post]:
    """Yields each line; a failed post for one that is too long."""
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except LineTooLong:
            yield _too_long(lines.number, lines)


def read_delimited(stream: ByteLines, builder: PostBuilder, where: str, first_line: int = 1) -> Iterator[Post]:
    """Yields a post per row; a row that cannot be read yields a failed post named after its first line, `line-N`.

    A quote that is never closed costs the row in which it stands; the lines behind it are read again. Arguments as for
    `read_jsonl`; a part of a file comes behind the header.

    Raises:
        TableError: There is no header, it lacks or doubles a column, or the file is UTF-16.
    """
    lines = Lines(stream)
    header, delimiter = _header(lines, where)
    builder.open(header, where)
    lines.number = max(lines.number, first_line - 1)
    for start, row in _delimited_rows(lines, delimiter):
        if isinstance(row, Post):
            yield row
        elif not row:
            continue
        elif len(row) != len(header):
            message = f"has {len(row)} cells where the header has {len(header)}."
            yield _failed(start, lines.number, "row_ragged", message)
        elif not all(map(_is_utf8, row)):
            yield _failed(start, lines.number, "invalid_utf8", NOT_UTF8)
        else:
            yield builder.build(dict(zip(header, row, strict=True)), f"line-{start}")


def _delimited_rows(lines: Lines, delimiter: str) -> Iterator[tuple[int, list[str] | Post]]:
    """Yields the first line of each row, and its cells, none for an empty line; a failed post for a bad row."""
    # The default of 131,072 characters is too small for long posts and `data:` URLs; the csv module has one global.
    csv.field_size_limit(MAX_LINE_BYTES)
    while True:
        start = lines.number + 1
        taken: list[str] = []
        try:
            cells = next(csv.reader(_row_lines(lines, taken), delimiter=delimiter, strict=True))
        except StopIteration:
            return
        except LineTooLong:
            yield start, _too_long(start, lines)
            continue
        except csv.Error:
            # Given back first: whoever asks where the next row begins must hear so now.
            lines.give_back(taken[1:])
            # Without the parser's own words, which depend on the lines behind: a file that is cut here reads the same.
            yield start, _failed(start, start, "line_malformed", "not valid CSV; a quote may be missing or misplaced.")
            continue
        yield start, cells


def row_starts(stream: ByteLines, where: str, *, delimited: bool) -> Iterator[tuple[int, int]]:
    """Yields where each post of a text file begins: byte and line; a file may be cut there and read in parts.

    Of a delimited file, the end of the header comes first. What a JSON array holds is not looked at.

    Raises:
        TableError: There is no header, or the file is UTF-16.
    """
    if delimited:
        lines = Lines(stream)
        _, delimiter = _header(lines, where)
        offset = lines.offset
        yield offset, lines.number + 1
        for start, row in _delimited_rows(lines, delimiter):
            if row:
                yield offset, start
            offset = lines.offset
        return
    offset = number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        size, more = len(line), line
        while size > MAX_LINE_BYTES and more and not more.endswith(b"\n"):
            more = stream.readline(MAX_LINE_BYTES)
            size += len(more)
        if number == 1:
            line = _without_mark(line) or b"\n"
        if not line.isspace() and (line[0] in _PRINTABLE or line.decode("utf-8", "surrogateescape").strip()):
            yield offset, number
        offset += size


def is_json_array(stream: ByteLines) -> bool:
    """Whether a file of JSON holds one array, and not an object per line."""
    for line in Lines(stream):
        if line.strip():
            return line.lstrip().startswith("[") and _is_array(line)
    return False


def _row_lines(lines: Lines, taken: list[str]) -> Iterator[str]:
    """Yields the lines of one row and keeps them, so that they can be given back."""
    for line in lines:
        taken.append(line)
        if len(taken) > MAX_ROW_LINES:
            raise csv.Error(f"a quote is open for {MAX_ROW_LINES:,} lines")
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
            raise TableError(f"The lines of {where} end in CR alone. Convert it: tr '\\r' '\\n' < IN > OUT") from None
        raise TableError(f"The header of {where} cannot be read: {error}.") from None


def _read_array(lines: Lines, text: str, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per item of an array whose opening bracket was read, holding one item at a time."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    parser = json.JSONDecoder(strict=False)
    number, ended = 0, False
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]"):
            return
        try:
            row, end = parser.raw_decode(text)
        except (json.JSONDecodeError, RecursionError, ValueError) as error:
            if ended or len(text) > MAX_LINE_BYTES or not _may_go_on(error, text):
                raise TableError(f"{where} is damaged after {number:,} items of its JSON array: {error}.") from None
            more, ended = _more(lines.stream, len(text))
            try:
                text += decode(more, ended)
            except UnicodeDecodeError:
                raise TableError(f"{where} is {NOT_UTF8}") from None
            continue
        text = text[end:]
        number += 1
        if not isinstance(row, dict):
            yield Post.failed(f"item-{number}", "line_malformed", f"Item {number}: {_not_an_object(row)}")
            continue
        if number == 1:
            builder.check_first(row, f"The first object of {where}")
        yield builder.build(row, f"item-{number}")


def _more(stream: ByteLines, at_least: int) -> tuple[bytes, bool]:
    """Returns as many bytes as are waiting already, so that a long item is not parsed once per line of it."""
    parts: list[bytes] = []
    size = 0
    while size <= at_least:
        part = stream.readline(_CHUNK)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
    return b"".join(parts), False


def _may_go_on(error: Exception, text: str) -> bool:
    """Whether the text may be the start of an item; anything else is wrong however it goes on."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    longest_word = 16
    return error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()) - longest_word


def _is_array(line: str) -> bool:
    """Whether a first line opens an array of objects, and is not itself one bad line of JSON Lines."""
    rest = line.lstrip()[1:].strip()
    return not rest or rest.startswith(("{", "]"))


def _parse(line: str) -> dict[str, Any]:
    if not _is_utf8(line):
        raise PostError("invalid_utf8", NOT_UTF8)
    try:
        row = json.loads(line, strict=False)
    except json.JSONDecodeError as error:
        raise PostError("line_malformed", f"not valid JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets in brackets
        raise PostError("line_malformed", f"not readable JSON: {error}.") from None
    if not isinstance(row, dict):
        raise PostError("line_malformed", _not_an_object(row))
    return row


def _not_an_object(row: Any) -> str:
    return f'an object like {{"text": ...}} is needed, not {type(row).__name__}.'


def _is_utf8(text: str) -> bool:
    """Whether a text read by `Lines` was valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))


def _without_mark(line: bytes) -> bytes:
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError(NOT_UTF16)
    return line.removeprefix(codecs.BOM_UTF8)


def _too_long(start: int, lines: Lines) -> Post:
    return _failed(start, lines.number, "line_too_long", f"longer than {MAX_LINE_BYTES:,} bytes.")


def _failed(start: int, end: int, code: str, message: str) -> Post:
    place = f"Line {start}" if end <= start else f"Lines {start} to {end}"
    return Post.failed(f"line-{start}", code, f"{place}: {message}")
