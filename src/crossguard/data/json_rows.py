"""Posts from JSON Lines, or from a JSON array."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, Final

from crossguard.data import json_shapes
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8, ByteLines, Lines, each_line, is_utf8
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import PostError, TableError
from crossguard.records import Post

_CHUNK: Final = 1 << 20


def read_jsonl(stream: ByteLines, builder: PostBuilder, where: str, first_line: int = 1) -> Iterator[Post]:
    """Yields a post per line, or per item of JSON arrays; a line that cannot be read yields a failed post `line-N`.

    The first line that is not empty says which it is, as for `is_json_array`.
    """
    lines = Lines(stream, number=first_line - 1)
    first = unchecked = first_line == 1
    for line in each_line(lines):
        if isinstance(line, Post):
            first = False
            yield line
            continue
        if not line.strip():
            continue
        if first and line.strip() == "{":
            raise TableError(f"{where} has objects over several lines; one line each: jq -c . FILE > posts.jsonl")
        if first and _is_array(line):
            yield from _read_arrays(lines, line.lstrip()[1:], builder, where)
            return
        first = False
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
    for line in each_line(Lines(stream)):
        if isinstance(line, Post) or line.strip():
            return isinstance(line, str) and _is_array(line)
    return False


def _read_arrays(lines: Lines, text: str, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per item of an array whose opening bracket was read, holding one item at a time.

    Further arrays and objects may follow, as in pages of an export that were joined.
    """
    decode = codecs.getincrementaldecoder("utf-8")().decode
    parser = json.JSONDecoder(strict=False)
    number, ended, inside = 0, False, True
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]" if inside else "["):
            inside, text = not inside, text[1:]
            continue
        if ended and not inside and not text:
            return
        if text and not inside and text[0] != "{":
            raise TableError(
                f"{where} goes on behind a JSON array of {number:,} items with what is no object and no array."
            )
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
        yield _of_item(row, number, builder, where)


def _of_item(row: Any, number: int, builder: PostBuilder, where: str) -> Post:
    if number == 1 and (said := json_shapes.bare_item(row)):
        raise TableError(f"{where} {said}")
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


def _may_go_on(error: Exception, text: str) -> bool:
    """Whether the text may be the start of an item; anything else is wrong however it goes on."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    longest_word = 16
    return error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()) - longest_word


def _is_array(line: str) -> bool:
    """Whether a first line opens an array of posts, and is not itself one bad line of JSON Lines."""
    bracket, rest = line.lstrip()[:1], line.lstrip()[1:].strip()
    return bracket == "[" and (
        not rest or rest.startswith(("{", "]", '"')) or (rest[0] == "[" and not rest.startswith("[["))
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
