"""Decisions as bytes, one row after the other, such that a file cut anywhere can be continued."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

from crossguard.data.lines import MAX_LINE_BYTES
from crossguard.errors import OutputError
from crossguard.records import Decision
from crossguard.schema import CellKind, Names, columns, flatten, own_columns, unflatten

_JOINER: Final = ";"


def texts_of(cell: str) -> list[str]:
    """Returns the texts of a cell; those of a data frame that was written as CSV stand there as Python shows them.

    Raises:
        SyntaxError, ValueError: They are not written so.
    """
    if cell.startswith(("['", '["')) or cell == "[]":
        return [str(text) for text in ast.literal_eval(cell)]
    return cell.split(_JOINER) if cell else []


def one_cell(cell: Any) -> Any:
    """Returns a value for a cell: a list of texts joined, other lists and objects of a user's column as JSON."""
    if not isinstance(cell, list | dict):
        return cell
    if isinstance(cell, list) and all(isinstance(each, str) for each in cell):
        return _JOINER.join(cell)
    return json.dumps(_finite(cell), ensure_ascii=False, default=str)


_JSON_START: Final = b'{"id": '
_PARSERS: Final[dict[CellKind, Callable[[str], Any]]] = {
    "text": str,
    "integer": lambda cell: int(cell) if cell else None,
    "number": lambda cell: float(cell) if cell else None,
    "texts": texts_of,
}


class JsonlRows:
    """One JSON object per line.

    Attributes:
        header: What stands before the rows.
        kept: The columns of the input that a row has room for; any when None.
    """

    header = b""
    kept: Sequence[str] | None = None

    def encode(self, decision: Decision) -> bytes:
        """Returns one line."""
        record = decision.to_dict()
        if "input" in record:
            record["input"] = _finite(record["input"])
        return json.dumps(record, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"

    def decode(self, stream: BinaryIO) -> Iterator[tuple[Decision, int]]:
        """Yields complete lines and where each ends, in bytes; a last one that was cut is left out.

        Raises:
            OutputError: A complete one is not one that Crossguard wrote, so nothing here may be changed.
        """
        end = 0
        while (line := stream.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            try:
                decision = Decision.from_dict(json.loads(line))
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
                raise _foreign(end) from None
            end += len(line)
            yield decision, end
        if not (line.startswith(_JSON_START) or _JSON_START.startswith(line)):
            raise _foreign(end)


def _finite(value: Any) -> Any:
    """Returns a value of the input without infinite numbers, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class CsvRows:
    """A header and flat rows; lists are joined by semicolons, what does not apply is empty."""

    def __init__(self, names: Names) -> None:
        self.kept = names.input
        self.layout = columns(names)
        # Results are read line by line, and a spreadsheet's columns may have names of several lines.
        self.header = _line([" ".join(column.name.splitlines()) for column in self.layout])
        self.places: Sequence[int] = range(len(self.layout))  # of these columns in a row
        self.width = len(self.layout)

    @classmethod
    def of_header(cls, line: bytes) -> CsvRows:
        """Returns the format of a file to read, by its first line: columns that people added are passed over.

        Raises:
            OutputError: It lacks a column that results have.
        """
        header = next(csv.reader([line.decode(errors="replace")]), [])
        rows = cls(Names.of(header))
        if rows.header.startswith(line):  # as it was written, or cut
            return rows
        if len(header) == 1 and (other := next((each for each in ";\t" if each in header[0]), None)):
            raise no_result(
                f"{other!r} stands between its columns, not a comma. A spreadsheet saves files so in some countries, "
                "and writes 0,5 for 0.5: save it as .xlsx, or use the file as Crossguard wrote it"
            )
        try:
            rows.layout = own_columns(header)
        except ValueError as error:
            raise no_result(f"{error}. Results are written by: crossguard score POSTS -o RESULTS") from None
        rows.places = [header.index(column.name) for column in rows.layout]
        rows.header, rows.width = line, len(header)
        return rows

    def encode(self, decision: Decision) -> bytes:
        """Returns one row, which spans lines where a cell does."""
        row = flatten(decision.to_dict(), self.layout).values()
        return _line([one_cell(cell) for cell in row])

    def decode(self, stream: BinaryIO) -> Iterator[tuple[Decision, int]]:
        """Yields complete rows and their ends, as `JsonlRows.decode`."""
        start = stream.readline(len(self.header))
        if start != self.header:
            if self.header.startswith(start):
                return
            begin = start[:40].decode("utf-8", "replace").strip()
            raise OutputError(
                f"The file begins with '{begin}', which is not the header of these results. Another model or another "
                "--keep may have written it: choose another name, or start again with --overwrite. Results are written "
                "by: crossguard score POSTS -o RESULTS"
            )
        csv.field_size_limit(MAX_LINE_BYTES)  # a text that was kept may be longer than the default, 131,072
        read, at_end = len(self.header), False

        def complete_lines() -> Iterator[str]:
            nonlocal read, at_end
            while (line := stream.readline(MAX_LINE_BYTES)).endswith(b"\n"):
                read += len(line)
                yield line.decode()
            at_end = True

        rows = csv.reader(complete_lines(), strict=True)
        end = read
        while True:
            try:
                cells = zip(self.layout, self._own(next(rows)), strict=True)
                row = {column.name: _PARSERS[column.kind](cell) for column, cell in cells}
                decision = Decision.from_dict(unflatten(row, self.layout))
            except StopIteration:
                return
            except (csv.Error, IndexError, KeyError, SyntaxError, TypeError, ValueError) as error:
                if isinstance(error, csv.Error) and at_end:  # cut inside quotes
                    return
                raise _foreign(end) from None
            end = read
            yield decision, end

    def _own(self, cells: Sequence[str]) -> list[str]:
        """Returns the cells of our columns; Excel may leave out empty ones at the end of a row, such as added ones."""
        if len(cells) > self.width:
            raise ValueError(f"{len(cells)} cells")
        return [cells[place] for place in self.places]


RowFormat: TypeAlias = JsonlRows | CsvRows


def no_result(why: str) -> OutputError:
    """Returns the error of a whole file that cannot be read as a result."""
    return OutputError(f"The file is not a result that Crossguard wrote, or it is damaged: {why}")


def _foreign(end: int) -> OutputError:
    return OutputError(f"What stands after byte {end:,} is not a result that Crossguard wrote; nothing was changed.")


def _line(cells: Sequence[Any]) -> bytes:
    # The module quotes carriage returns only where they are part of its line end; files get plain newlines.
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().removesuffix("\r\n").encode("utf-8", "replace") + b"\n"
