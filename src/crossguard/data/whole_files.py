"""Decisions as files that cannot grow row by row: Parquet, Excel and HTML. Each is written at once, at the end."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from crossguard.data.page import write_page
from crossguard.data.row_formats import no_result, one_cell, texts_of
from crossguard.errors import MissingExtraError, OutputError, first_line
from crossguard.records import Decision
from crossguard.saving import whole_file
from crossguard.schema import Column, Names, columns, flatten, unflatten

T = TypeVar("T")
Finder: TypeAlias = Callable[[Sequence[str]], Sequence[Column]]
"""Returns the columns to read of a file with this header, and raises a ValueError where it cannot be read."""

# Rows are dictionaries for a moment only, and row groups large enough that readers are quick.
_ROWS: Final = 2048
_BATCHES_PER_GROUP: Final = 32
EXCEL_ROWS: Final = 1_048_576
EXCEL_CELL: Final = 32_767
EXCEL_DIGITS: Final = 15
# One of these makes a workbook that no program opens; the library itself refuses only the control characters.
_NOT_IN_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A format."""

    module: str  # what must be installed for it, and with which extra; nothing when empty
    extra: str
    write: Callable[[Iterable[Decision], Names, Path], None]
    # Yields them again; None for a format that is only for people
    read: Callable[[Path, Finder], Iterator[Decision]] | None = None

    def require(self, doing: str) -> None:
        """Checks that the format can be used, before hours of scoring.

        Raises:
            MissingExtraError: Its library is not installed.
        """
        if self.module and find_spec(self.module) is None:
            raise MissingExtraError(doing, self.extra)

    def write_at_once(self, decisions: Iterable[Decision], names: Names, path: Path) -> None:
        """Writes all decisions; the file appears under its name only when it is whole."""
        with whole_file(path) as unfinished:
            self.write(decisions, names, unfinished)


def _write_parquet(decisions: Iterable[Decision], names: Names, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = columns(names)
    kinds = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "texts": pa.list_(pa.string())}
    schema = pa.schema([(column.name, kinds[column.kind]) for column in layout])
    rows = (flatten(decision.to_dict(), layout) for decision in decisions)
    if names.input:
        rows = ({key: _as_text(key, cell) for key, cell in row.items()} for row in rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batches = (pa.RecordBatch.from_pylist(part, schema=schema) for part in _batched(rows, _ROWS))
        for group in _batched(batches, _BATCHES_PER_GROUP):
            writer.write_table(pa.Table.from_batches(group))


def _read_parquet(path: Path, find: Finder) -> Iterator[Decision]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            layout = find(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_ROWS, columns=[column.name for column in layout]):
                yield from (Decision.from_dict(unflatten(row, layout)) for row in batch.to_pylist())
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise no_result(first_line(error)) from None


def _write_excel(decisions: Iterable[Decision], names: Names, path: Path) -> None:
    from openpyxl import Workbook

    layout = columns(names)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("decisions")
    sheet.freeze_panes = "B2"
    with _rows_beside(path, sheet):
        sheet.append([_NOT_IN_XML.sub("", column.name) for column in layout])
        for number, decision in enumerate(decisions, start=2):
            if number > EXCEL_ROWS:
                raise OutputError(
                    f"A sheet holds {EXCEL_ROWS:,} rows, and there are more. Choose a .csv or .parquet file."
                )
            sheet.append([_excel_cell(cell, sheet) for cell in flatten(decision.to_dict(), layout).values()])
        book.save(path)


@contextmanager
def _rows_beside(path: Path, sheet: Any) -> Iterator[None]:
    """Has the rows of a sheet wait, uncompressed, beside its file.

    The library would put them into the folder for temporary files, which may be on a small disk.
    """
    from openpyxl.worksheet._writer import WorksheetWriter

    rows = path.with_name(f"{path.name}.rows")
    file = rows.open("wb", buffering=0)
    writer = WorksheetWriter(sheet, file)  # by a name, lxml would have an error of its own for a full disk
    writer.out = str(rows)
    writer.cleanup = lambda: None  # done below, also after an error
    sheet._writer = writer  # noqa: SLF001 - there is no option for the place
    try:
        writer.write_top()
        yield
    finally:
        with suppress(Exception):  # a full disk says the same again, lxml in its own way, and a saved sheet that it is
            sheet.close()
        with suppress(Exception):
            writer.close()
        file.close()
        rows.unlink(missing_ok=True)


def _excel_cell(cell: Any, sheet: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    value = one_cell(cell)
    if isinstance(value, int) and abs(value) >= 10**EXCEL_DIGITS:
        value = str(value)
    if not isinstance(value, str):
        return value
    # As text: Excel rounds numbers of more digits, and would compute what begins with "=".
    text = WriteOnlyCell(sheet, value=_NOT_IN_XML.sub("", value)[:EXCEL_CELL])
    text.data_type, text.number_format = "s", "@"
    return text


def _read_excel(path: Path, find: Finder) -> Iterator[Decision]:
    from openpyxl import load_workbook

    try:
        with (
            path.open("rb") as raw,  # which the library leaves open where it finds damage
            closing(load_workbook(raw, read_only=True)) as book,
            closing(book.worksheets[0].iter_rows(values_only=True)) as rows,  # which hold the file open
        ):
            header = ["" if name is None else str(name) for name in next(rows)]
            layout = find(header)
            places = [header.index(column.name) for column in layout]
            for cells in rows:
                own = (cells[place] if place < len(cells) else None for place in places)
                row = {column.name: _cell(column, cell) for column, cell in zip(layout, own, strict=True)}
                yield Decision.from_dict(unflatten(row, layout))
    except Exception as error:  # noqa: BLE001 - zip, XML and the library itself each raise their own
        raise no_result(first_line(error)) from None


def _cell(column: Column, cell: Any) -> Any:
    """Gives a cell its value back: Excel has no empty texts, and no lists."""
    if column.kind == "texts":
        return texts_of(cell or "")
    return "" if cell is None and column.kind == "text" and len(column.path) == 1 else cell


def _batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _as_text(column: str, cell: Any) -> Any:
    return cell if cell is None or not column.startswith("input_") else str(one_cell(cell))


WHOLE_FILES: Final = {
    "parquet": WholeFile("pyarrow", "parquet", _write_parquet, _read_parquet),
    "xlsx": WholeFile("openpyxl", "excel", _write_excel, _read_excel),
    "html": WholeFile("", "", lambda decisions, _, path: write_page(decisions, path)),
}
