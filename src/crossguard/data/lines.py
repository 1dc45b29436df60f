"""Lines of a byte stream, each of bounded length."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Protocol

from crossguard.errors import TableError

# A picture of the largest size that is decoded fits as a `data:` URL.
MAX_LINE_BYTES = 64 * 1024 * 1024


NOT_UTF8 = "not valid UTF-8. Convert the file, such as with: iconv -f WINDOWS-1252 -t UTF-8 IN > OUT"


class ByteLines(Protocol):
    """What a binary file can do that is needed here."""

    def readline(self, size: int, /) -> bytes:
        """Returns a line with its end, or its first `size` bytes."""


class LineTooLong(Exception):  # noqa: N818 - control flow inside data/, never shown
    """A line is longer than what is kept in memory; it was read over."""


class Lines:
    """Iterates over decoded lines; goes on after an exception, and knows the number of the last line.

    Bytes that are not UTF-8 come as lone surrogates (`surrogateescape`), so one bad line does not end the file.
    """

    def __init__(self, stream: ByteLines, limit: int = MAX_LINE_BYTES) -> None:
        self._stream = stream
        self._limit = limit
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(self._limit + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > self._limit:
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(self._limit)
            raise LineTooLong
        if self.number == 1:
            line = _without_mark(line)
        return line.decode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether a text read by `Lines` was valid UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_mark(line: bytes) -> bytes:
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError("The file is UTF-16; Crossguard reads UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 IN > OUT")
    return line.removeprefix(codecs.BOM_UTF8)
