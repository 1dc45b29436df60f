"""Lines of text files of any size: decoded one by one, each with its number and its place in the file."""

from __future__ import annotations

import codecs
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from crossguard.data.post_builder import PostBuilder
from crossguard.errors import TableError
from crossguard.records import Post

# An image of the largest size that is decoded fits as a `data:` URL.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_HEAD: Final = 100
_PRINTABLE: Final = frozenset(range(0x21, 0x7F))
_EXCEL: Final = "or save it from Excel as 'CSV UTF-8'"
NOT_UTF8: Final = f"not valid UTF-8. Convert the file: iconv -f WINDOWS-1252 -t UTF-8 IN > OUT; {_EXCEL}."
_NOT_UTF16: Final = f"The file is UTF-16, and must be UTF-8. Convert it: iconv -f %s -t UTF-8 IN > OUT; {_EXCEL}."
_NOT_UTF32: Final = "The file is UTF-32, and must be UTF-8. Convert it: iconv -f %s -t UTF-8 IN > OUT"


class ByteLines(Protocol):
    """What a binary file can do that is needed here."""

    def readline(self, size: int, /) -> bytes:
        """Returns a line with its end, or its first `size` bytes."""


class LineTooLong(Exception):  # noqa: N818 - control flow in this module, never shown
    """A line is longer than what is kept in memory; it was read over.

    Attributes:
        size: Its length in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Lines:
    """Iterates over decoded lines; goes on after an exception, and knows the number of the last line.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`), so one bad line does not end the file.

    Attributes:
        number: Of the last line, from 1.
        offset: Where the next line begins, in bytes.
    """

    def __init__(self, stream: ByteLines, *, number: int = 0) -> None:
        self._stream = stream
        self._again: deque[str | LineTooLong] = deque()
        self.number = number
        self.offset = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            again = self._again.popleft()
            self.number += 1
            self.offset += _size(again)
            if isinstance(again, LineTooLong):
                raise again
            return again
        line, size = _next_line(self._stream)
        if not line:
            raise StopIteration
        self.number += 1
        self.offset += size
        if size > MAX_LINE_BYTES:
            raise LineTooLong(size)
        if self.number == 1:
            line = without_mark(line)
        return line.decode("utf-8", "surrogateescape")

    def give_back(self, lines: Sequence[str | LineTooLong]) -> None:
        """Puts the last lines back, to be read again; one that was too long is so again."""
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)
        self.offset -= sum(map(_size, lines))

    def failed(self, code: str, message: str, start: int | None = None) -> Post:
        """Returns the place of a post that began at line `start`, at the last line when None, and cannot be read."""
        first = start or self.number
        place = f"Line {first}" if self.number <= first else f"Lines {first} to {self.number}"
        return Post.failed(f"line-{first}", code, f"{place}: {message}")

    def too_long(self, start: int | None = None) -> Post:
        """Returns the place of a post with a line that is too long."""
        return self.failed("line_too_long", f"longer than {MAX_LINE_BYTES:,} bytes.", start)


def read_lines(
    stream: ByteLines,
    builder: PostBuilder,  # noqa: ARG001 - as the others
    where: str,
    first_line: int = 1,
) -> Iterator[Post]:
    """Yields a post per line of plain text; empty lines are none. Arguments as for `read_jsonl`.

    Raises:
        TableError: Lines end in CR alone.
    """
    lines = Lines(stream, number=first_line - 1)
    for line in each_line(lines):
        if isinstance(line, Post):
            yield line
        elif lines.number == 1 and not line.endswith("\n") and "\r" in line.rstrip("\r"):
            raise ends_in_cr(where)
        elif not is_utf8(line):
            yield lines.failed("invalid_utf8", NOT_UTF8)
        elif line.strip():
            yield Post(f"line-{lines.number}", line.rstrip("\r\n"))


def each_line(lines: Lines) -> Iterator[str | Post]:
    """Yields each line; a failed post for one that is too long."""
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except LineTooLong:
            yield lines.too_long()


def ends_in_cr(where: str) -> TableError:
    """Returns the error for a file that is a single line here, as Excel writes it for the Macintosh."""
    return TableError(f"The lines of {where} end in CR alone. Convert it: tr '\\r' '\\n' < IN > OUT")


def line_starts(stream: ByteLines) -> Iterator[tuple[int, int]]:
    """Yields where each line that is not empty begins: byte and line; the file may be cut there and read in parts."""
    offset = 0
    for number in itertools.count(1):
        line, size = _next_line(stream)
        if not line:
            return
        if number == 1:
            line = without_mark(line) or b"\n"
        if not line.isspace() and (line[0] in _PRINTABLE or line.decode("utf-8", "surrogateescape").strip()):
            yield offset, number
        offset += size


def _next_line(stream: ByteLines) -> tuple[bytes, int]:
    """Returns the next line and its length; of one that is too long the beginning, as the rest is read over."""
    line = more = stream.readline(MAX_LINE_BYTES + 1)
    size = len(line)
    while size > MAX_LINE_BYTES and more and not more.endswith(b"\n"):
        more = stream.readline(MAX_LINE_BYTES)
        size += len(more)
    return line, size


def is_utf8(text: str) -> bool:
    """Whether a text read by `Lines` was valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _size(line: str | LineTooLong) -> int:
    if isinstance(line, LineTooLong):
        return line.size
    return len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))


def without_mark(line: bytes) -> bytes:
    """Returns the first line of a file without the mark of UTF-8.

    Raises:
        TableError: It is UTF-16 or UTF-32.
    """
    head = line[:_HEAD]
    if line.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):  # the first begins as UTF-16 does
        raise TableError(_NOT_UTF32 % "UTF-32")
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError(_NOT_UTF16 % "UTF-16")
    # Without a mark, three bytes of four are empty, or every second one of most languages; iconv would take the order
    # of its own machine.
    if head.count(0) > len(head) * 2 / 3:
        raise TableError(_NOT_UTF32 % ("UTF-32BE" if not head[0] else "UTF-32LE"))
    if head.count(0) > len(head) / 3:
        raise TableError(_NOT_UTF16 % ("UTF-16BE" if head[::2].count(0) > head[1::2].count(0) else "UTF-16LE"))
    return line.removeprefix(codecs.BOM_UTF8)
