"""CSV and its cousins with semicolons or tabs, with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from crossguard.data.columns import PostBuilder
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8, ByteLines, Lines, LineTooLong, is_utf8
from crossguard.errors import TableError
from crossguard.records import Post

_DELIMITERS = ",;\t"


def read_delimited(stream: ByteLines, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per row; a row that cannot be read yields a failed post named after its first line, `line-N`.

    Raises:
        TableError: There is no header, it lacks or doubles a column, or the file is UTF-16.
    """
    # The default of 131,072 characters is too small for long posts and `data:` URLs; the csv module has one global.
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = Lines(stream)
    header, delimiter = _header(lines, where)
    builder.columns.check_header(header, where)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = lines.number + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except LineTooLong:
            yield _failed(start, lines.number, "line_too_long", f"longer than {MAX_LINE_BYTES:,} bytes.")
            continue
        except csv.Error as error:
            yield _failed(start, lines.number, "line_malformed", f"not valid CSV: {error}; a quote may be missing.")
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            message = f"has {len(cells)} cells where the header has {len(header)}."
            yield _failed(start, lines.number, "row_ragged", message)
        elif not all(map(is_utf8, cells)):
            yield _failed(start, lines.number, "invalid_utf8", NOT_UTF8)
        else:
            yield builder.build(dict(zip(header, cells, strict=True)), f"line-{start}")


def _header(lines: Lines, where: str) -> tuple[list[str], str]:
    try:
        line = next(lines)
        while not line.strip():
            line = next(lines)
        delimiter = max(_DELIMITERS, key=line.count)
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))], delimiter
    except StopIteration:
        raise TableError(f"{where} has no header line.") from None
    except LineTooLong:
        raise TableError(f"The header of {where} is longer than {MAX_LINE_BYTES:,} bytes.") from None
    except csv.Error as error:
        raise TableError(f"The header of {where} cannot be read: {error}.") from None


def _failed(start: int, end: int, code: str, message: str) -> Post:
    place = f"Line {start}" if end <= start else f"Lines {start} to {end}"
    return Post.failed(f"line-{start}", code, f"{place}: {message}")
