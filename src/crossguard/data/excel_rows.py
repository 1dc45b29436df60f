"""Posts from Excel workbooks."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from itertools import zip_longest
from typing import Any, Final

from crossguard.data.cells import written
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import StorageError, TableError, as_sentence, needs_extra
from crossguard.records import Post

_AS_TEXT: Final = "A text that begins with =, + or - is a formula, unless the cell is formatted as text."
# From here on, Excel keeps no digit behind the fifteenth.
_ROUNDED: Final = 1e15
_ZEROS: Final = re.compile("0+")
_CALCULATE: Final = "Open the workbook in Excel or LibreOffice, save it, and read that."


class ExcelPosts:
    """The posts of the first sheet of an Excel file, row by row.

    Attributes:
        rows: How many it says to have, which may be wrong.
    """

    def __init__(self, path: Any, builder: PostBuilder, where: str) -> None:
        """Opens the file, by its path or as a file object, and checks its header, the first row.

        Raises:
            TableError: The file is not Excel, or lacks or doubles a column.
        """
        with needs_extra("Reading Excel", "excel"):
            from openpyxl import load_workbook
        with ExitStack() as opened:
            try:
                book = opened.enter_context(closing(load_workbook(path, read_only=True, data_only=True)))
                sheet, *others = book.worksheets
                said = sheet.max_row
                # Rows behind the dimensions that a workbook states would not be read, and some programs state old ones.
                sheet.reset_dimensions()
                self._rows: Generator[tuple[Any, ...]] = opened.enter_context(closing(sheet.iter_rows()))
                header = [cell.value for cell in next(self._rows, ())]
            except StorageError:
                raise
            except Exception as error:  # noqa: BLE001 - zip, XML and the library itself each raise their own
                raise TableError(f"{where} cannot be read as Excel: {as_sentence(error)}") from None
            self._header = ["" if name is None else str(name).strip() for name in header]
            unread = (
                f"only its first sheet, '{sheet.title}', is read, and not: {', '.join(other.title for other in others)}"
            )
            told = f"{where} ({unread})" if others else where
            found = builder.open([name for name in self._header if name], told, "sheet")
            self._id = self._header.index(found["id"]) if "id" in found else None
            builder.tell([unread] if others else [])
            self._open = opened.pop_all()
        self._path = path
        self._formulas: Iterator[tuple[int, tuple[Any, ...]]] | None = None
        self._builder = builder
        self._where = where
        self.rows = max(0, (said or 1) - 1)

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts.

        Raises:
            TableError: The file is damaged.
        """
        with self._open:
            for number, cells, uncalculated, broken in self._numbered():
                row = {name: written(cell) for name, cell in zip_longest(self._header, cells) if name}
                read = self._builder.found.values() or row
                if self._builder.extra:
                    others = (name for name in uncalculated if name not in read)
                    self._builder.tell(
                        f"formulas in '{name}' without a result are left out. {_CALCULATE}" for name in others
                    )
                lost = [f"the formula in '{name}' has no result. {_CALCULATE}" for name in uncalculated if name in read]
                lost += [
                    f"'{name}' holds {row[name]} in place of its text. {_AS_TEXT}" for name in broken if name in read
                ]
                self._tell_of_rounded_ids(row)
                if lost:
                    id_ = self._builder.build(row, f"row-{number}").id
                    yield Post.failed(id_, "formula_not_calculated", f"Row {number}: {lost[0]}")
                elif any(cell is not None for cell in row.values()):
                    yield self._builder.build(row, f"row-{number}")

    def _tell_of_rounded_ids(self, row: dict[str, Any]) -> None:
        name = self._builder.found.get("id", "")
        if isinstance(row.get(name), int | float) and abs(row[name]) >= _ROUNDED:
            self._builder.tell_of_rounded_ids(name)

    def _numbered(self) -> Iterator[tuple[int, list[Any], list[str], list[str]]]:
        """Yields each row behind the header: number, values, columns of formulas without a result, and of errors."""
        number = 1
        try:
            for number, cells in enumerate(self._rows, start=2):
                broken = [name for name, cell in zip(self._header, cells, strict=False) if cell.data_type == "e"]
                yield number, self._values(cells), self._uncalculated(number, cells), broken
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise TableError(f"{self._where} is damaged after row {number}: {as_sentence(error)}") from None

    def _values(self, cells: tuple[Any, ...]) -> list[Any]:
        """Returns the values of a row, its id with the zeros that are shown before it: others write them, too."""
        values = [cell.value for cell in cells]
        if self._id is not None and self._id < len(cells):
            values[self._id] = _as_shown(cells[self._id])
        return values

    def _uncalculated(self, number: int, cells: tuple[Any, ...]) -> list[str]:
        """Returns the columns of formulas that no program has calculated, as libraries that write workbooks leave them.

        Such a cell is read as an empty one. An empty text that was calculated says of itself that it is a text.
        """
        from openpyxl import load_workbook
        from openpyxl.cell.read_only import EMPTY_CELL

        doubtful = [
            (name, place)
            for place, (name, cell) in enumerate(zip(self._header, cells, strict=False))
            if name and cell is not EMPTY_CELL and cell.value is None and cell.data_type == "n"
        ]
        if not doubtful:
            return []
        if self._formulas is None:
            sheet = self._open.enter_context(closing(load_workbook(self._path, read_only=True))).worksheets[0]
            sheet.reset_dimensions()
            self._formulas = enumerate(self._open.enter_context(closing(sheet.iter_rows())), start=1)
        again = next(row for at, row in self._formulas if at == number)
        return [name for name, place in doubtful if again[place].data_type == "f"]


def _as_shown(cell: Any) -> Any:
    """Returns the value of a cell; a whole number as text where its format is a row of zeros, such as 00000."""
    value = cell.value
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if is_whole and 0 <= value < _ROUNDED and _ZEROS.fullmatch(cell.number_format):
        return f"{int(value):0{len(cell.number_format)}d}"
    return value
