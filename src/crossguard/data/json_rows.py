"""Posts from JSON Lines, or from a JSON array."""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8, ByteLines, Lines, each_line, is_utf8, without_mark
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import PostError, TableError, number_of
from crossguard.records import Post

_CHUNK: Final = 1 << 20
# Lines before the first one that says whether a file is an array.
_MOST_EMPTY: Final = 100
_BETWEEN: Final = re.compile(r"[ \t\r\n,]*")


def read_jsonl(stream: ByteLines, builder: PostBuilder, where: str, first_line: int = 1) -> Iterator[Post]:
    """Yields a post per line, or per item of JSON arrays; a line that cannot be read yields a failed post `line-N`.

    The first line that is not empty says which it is, as for `is_json_array`.
    """
    unchecked = first_line == 1
    if unchecked:
        stream = _Started(stream)
        start = stream.first_line()
        if _is_array(start):
            yield from _read_arrays(stream, builder, where)
            return
        if start.strip() == b"{":
            raise TableError(f"{where} has objects over several lines; one line each: jq -c . FILE > posts.jsonl")
    lines = Lines(stream, number=first_line - 1)
    for line in each_line(lines):
        if isinstance(line, Post):
            yield line
            continue
        if not line.strip():
            continue
        try:
            row = _parse(line)
        except PostError as error:
            yield lines.failed(error.code, str(error))
            continue
        if unchecked:
            builder.check_first(row, f"The first object of {where}")
            unchecked = False
        yield builder.build(row, f"line-{lines.number}")


def is_json_array(stream: ByteLines) -> bool:
    """Whether a file of JSON begins with an array, and not with an object per line."""
    return _is_array(_Started(stream).first_line())


class _Started:
    """A stream whose first lines can be looked at before they are read."""

    def __init__(self, stream: ByteLines) -> None:
        self._stream = stream
        self._looked_at: deque[bytes] = deque()

    def first_line(self) -> bytes:
        """Returns the first line that is not empty, of a long one its beginning."""
        line = b""
        while not line.strip() and len(self._looked_at) < _MOST_EMPTY:
            part = self._stream.readline(_CHUNK)
            if not part:
                break
            self._looked_at.append(part)
            line = without_mark(part)
        return line

    def readline(self, size: int, /) -> bytes:
        """Returns a line with its end, or its first `size` bytes; more where it was looked at."""
        line = b""
        while len(line) < size and not line.endswith(b"\n"):
            part = self._looked_at.popleft() if self._looked_at else self._stream.readline(size - len(line))
            if not part:
                break
            line += part
        return line


def _read_arrays(stream: ByteLines, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per item of an array, holding one item at a time.

    Further arrays and objects may follow, as in pages of an export that were joined.
    """
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    parser = json.JSONDecoder(strict=False)
    text, at = "", 0
    number, ended, inside = 0, False, False
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
        if text.startswith("]" if inside else "[", at):
            inside, at = not inside, at + 1
            continue
        if ended and not inside and at == len(text):
            return
        if at < len(text) and not inside and text[at] != "{":
            told = f"a JSON array of {number_of(number, 'item')}"
            raise TableError(f"{where} goes on behind {told} with what is no object and no array.")
        try:
            row, at = parser.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError, ValueError) as error:
            text, at = text[at:], 0
            if ended or len(text) > MAX_LINE_BYTES or not _may_go_on(error):
                told = f"{number_of(number, 'item')} of its JSON array"
                raise TableError(f"{where} is damaged after {told}: {error}.") from None
            more, ended = _more(stream, len(text))
            try:
                text += decode(more, ended)
            except UnicodeDecodeError:
                raise TableError(f"{where} is {NOT_UTF8}") from None
            continue
        number += 1
        yield _of_item(row, number, builder, where)


def _of_item(row: Any, number: int, builder: PostBuilder, where: str) -> Post:
    if number == 1 and isinstance(row, str | list):
        raise TableError(f"{where} holds no objects. {builder.how_in_json}")
    if not isinstance(row, dict):
        return Post.failed(f"item-{number}", "line_malformed", f"Item {number}: {not_an_object(row)}")
    if number == 1:
        builder.check_first(row, f"The first object of {where}")
    return builder.build(row, f"item-{number}")


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


def _may_go_on(error: Exception) -> bool:
    """Whether what is left of a text may be the start of an item; anything else is wrong however it goes on."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    longest_word = 16
    return error.msg.startswith("Unterminated string") or error.pos >= len(error.doc.rstrip()) - longest_word


def _is_array(start: bytes) -> bool:
    """Whether a first line opens an array of posts, and is not itself one bad line of JSON Lines."""
    bracket, rest = start.lstrip()[:1], start.lstrip()[1:].strip()
    return bracket == b"[" and (
        not rest or rest.startswith((b"{", b"]", b'"')) or (rest.startswith(b"[") and not rest.startswith(b"[["))
    )


def _parse(line: str) -> dict[str, Any]:
    if not is_utf8(line):
        raise PostError("invalid_utf8", NOT_UTF8)
    try:
        row = json.loads(line, strict=False)
    except json.JSONDecodeError as error:
        raise PostError("line_malformed", f"not valid JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets in brackets
        raise PostError("line_malformed", f"not readable JSON: {error}.") from None
    if not isinstance(row, dict):
        raise PostError("line_malformed", not_an_object(row))
    return row


def not_an_object(row: Any) -> str:
    """Returns what is wrong with a post in JSON that is no object."""
    return f'an object like {{"text": ...}} is needed, not {type(row).__name__}.'
