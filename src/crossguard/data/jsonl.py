"""JSON Lines: one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from crossguard.data.columns import PostBuilder
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8, ByteLines, Lines, LineTooLong, is_utf8
from crossguard.errors import PostError, TableError
from crossguard.records import Post


def read_jsonl(stream: ByteLines, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per line; a line that cannot be read yields a failed post named `line-N`.

    Raises:
        TableError: The file is UTF-16 or one JSON array, or its first object has none of the columns.
    """
    lines = Lines(stream)
    first = True
    while True:
        try:
            line = next(lines)
        except StopIteration:
            return
        except LineTooLong:
            yield _failed(lines.number, "line_too_long", f"longer than {MAX_LINE_BYTES:,} bytes.")
            continue
        if not line.strip():
            continue
        if lines.number == 1 and line.lstrip().startswith("["):
            raise TableError(
                f"{where} is one JSON array; one object per line is read. Convert it: jq -c '.[]' IN > OUT"
            )
        try:
            row = _parse(line)
        except PostError as error:
            yield _failed(lines.number, error.code, str(error))
            continue
        if first:
            _check_first(row, builder, where)
            first = False
        yield builder.build(row, f"line-{lines.number}")


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
        raise PostError("line_malformed", f'an object like {{"text": ...}} is needed, not {type(row).__name__}.')
    return row


def _check_first(row: dict[str, Any], builder: PostBuilder, where: str) -> None:
    """Objects may leave empty fields out, so only a first object with texts under other names is an error."""
    columns = builder.columns
    wrong = [name for name in columns.renamed.values() if name not in row]
    if wrong and len(wrong) == len(columns.renamed):
        columns.check_header(row, f"The first object of {where}")
    others = [name for name, value in row.items() if isinstance(value, str) and name != columns.id]
    if others and not set(row) & set(columns.content):
        raise columns.nothing_to_score(row, f"The first object of {where}")


def _failed(number: int, code: str, message: str) -> Post:
    return Post.failed(f"line-{number}", code, f"Line {number}: {message}")
