"""Posts from files that are not text: Parquet, Excel, and a folder of images."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from crossguard.data.arrow_times import with_ids_as_text, with_times_as_text
from crossguard.data.cells import written
from crossguard.data.formats import kind_of
from crossguard.data.image_formats import SUFFIXES
from crossguard.data.post_builder import LOOKED_AT, PostBuilder
from crossguard.errors import StorageError, TableError, as_sentence, needs_extra, number_of
from crossguard.records import Post

# So many are Python objects at a time, images and all.
ROWS: Final = 64
# How a Parquet file is opened: otherwise a whole row group would be held in memory.
IN_PIECES: Final[dict[str, Any]] = {"pre_buffer": False, "buffer_size": 1 << 20}
_AS_TEXT: Final = "A text that begins with =, + or - is a formula, unless the cell is formatted as text."
# From here on, Excel keeps no digit behind the fifteenth.
_ROUNDED: Final = 1e15
# A table of one of these kinds says which image a text belongs to.
_WITH_COLUMNS: Final = frozenset({"arrow", "csv", "jsonl", "parquet", "xlsx"})
_ZEROS: Final = re.compile("0+")
_CALCULATE: Final = "Open the workbook in Excel or LibreOffice, save it, and read that."


class ParquetPosts:
    """The posts of one Parquet file, a few rows at a time."""

    def __init__(self, source: Any, builder: PostBuilder, where: str) -> None:
        """Opens the file, by its path or as a file object, and checks its columns.

        Raises:
            TableError: The file is not Parquet, or lacks or doubles a column.
        """
        with needs_extra("Reading Parquet", "parquet"):
            import pyarrow as pa
            import pyarrow.parquet as pq
        try:
            self._file = pq.ParquetFile(source, **IN_PIECES)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{where} cannot be read as Parquet: {as_sentence(error)}") from None
        names = self._file.schema_arrow.names
        found = builder.open(names, where)
        self._used = None if builder.extra else list(found.values())
        self._builder = builder
        self._where = where
        metadata = self._file.metadata
        self.rows = int(metadata.num_rows)
        self.groups = [int(metadata.row_group(place).num_rows) for place in range(metadata.num_row_groups)]

    def __iter__(self) -> Iterator[Post]:
        return self.read(range(len(self.groups)))

    def read(self, groups: range, skip: int = 0) -> Iterator[Post]:
        """Yields the posts of some row groups, without the first `skip`; closes the file at the end."""
        batches = self._file.iter_batches(batch_size=ROWS, row_groups=groups, columns=self._used)
        first = sum(self.groups[: groups.start]) + 1
        try:
            if others := unused_texts(self._file.schema_arrow, self._builder):
                some = self._file.iter_batches(batch_size=LOOKED_AT, row_groups=groups[:1], columns=others)
                look_at(some, self._builder)
            yield from posts_of(batches, self._builder, self._where, first, skip)
        finally:
            self._file.close()


def unused_texts(schema: Any, builder: PostBuilder) -> list[str]:
    """Returns the columns of texts that a builder gets to see nothing of, and may want to."""
    if builder.extra or not builder.looks_for_words:
        return []
    inside = builder.columns.title(builder.found) is not None
    texts = [field.name for field in schema if _holds_texts(field.type, inside=inside)]
    return [name for name in texts if name not in builder.found.values() and schema.names.count(name) == 1]


def _holds_texts(type_: Any, *, inside: bool) -> bool:
    """Whether a column holds texts, or, where that matters, lists or objects with texts and without bytes."""
    import pyarrow as pa

    nested = inside and pa.types.is_nested(type_) and "string" in str(type_) and "binary" not in str(type_)
    return nested or pa.types.is_string(type_) or pa.types.is_large_string(type_)


def look_at(batches: Iterator[Any], builder: PostBuilder) -> None:
    """Shows a builder the first rows of the first batch; what is damaged is told where posts are read."""
    import pyarrow as pa

    with suppress(pa.ArrowException, OSError, StopIteration):
        for row in rows_of(next(batches).slice(0, LOOKED_AT), None):
            builder.look(row or {}, builder.found)


def posts_of(batches: Iterable[Any], builder: PostBuilder, where: str, first: int = 1, skip: int = 0) -> Iterator[Post]:
    """Yields the posts of record batches without the first `skip` rows; `first` is the number of the first row.

    Raises:
        TableError: They are damaged.
    """
    import pyarrow as pa

    number = first - 1
    try:
        for batch in batches:
            skipped = min(skip, len(batch))
            skip -= skipped
            number += skipped
            for row in rows_of(batch.slice(skipped), builder.found.get("id")):
                number += 1
                if row is None:
                    yield Post.failed(f"row-{number}", "invalid_utf8", f"Row {number}: not valid UTF-8.")
                else:
                    yield builder.build(row, f"row-{number}")
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{where} is damaged after row {number}: {as_sentence(error)}") from None


def rows_of(batch: Any, id_: str | None) -> Iterator[dict[str, Any] | None]:
    """Yields the rows of a record batch, dates and times as texts; None for one with a text that is not UTF-8.

    `id_` is the column of ids, if there is one.
    """
    for part in (batch.slice(start, ROWS) for start in range(0, len(batch), ROWS)):
        try:
            yield from _rows(part, id_)
        except UnicodeDecodeError:
            for index in range(len(part)):
                try:
                    yield _rows(part.slice(index, 1), id_)[0]
                except UnicodeDecodeError:
                    yield None


def _rows(batch: Any, id_: str | None) -> list[dict[str, Any]]:
    import pyarrow as pa

    names = batch.schema.names
    forms = (with_ids_as_text if name == id_ else with_times_as_text for name in names)
    columns = [as_text(column) for as_text, column in zip(forms, batch.columns, strict=True)]
    return list(pa.RecordBatch.from_arrays(columns, names=names).to_pylist())


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


class FolderPosts:
    """The images of a folder and its subfolders, in the order of their names; each is a post named by its path.

    Hidden files and folders, and links to folders, are left out; where images are confined, all links are.

    Attributes:
        left_out: How many files were not read, as their suffix is not that of an image.
        table: One of them that may hold the words of the images, if there is any.
        linked: How many links to folders were not followed.
    """

    def __init__(self, folder: Path, *, confined: bool = False) -> None:
        self._folder = folder
        self._confined = confined
        self.left_out = self.linked = 0
        self.table: Path | None = None

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts.

        Raises:
            TableError: A folder cannot be read, or there is no image in it.
        """
        self.left_out = self.linked = 0
        self.table = None
        found = False
        for path in self._walk(self._folder):
            found = True
            name = path.relative_to(self._folder).as_posix()
            yield Post(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), image=path)
        if not found:
            others = number_of(self.left_out, "other file")
            told = [f"No images in the folder '{self._folder}' ({others}).", *self._links()]
            raise TableError(f"{' '.join(told)} For tables: -o FOLDER/")

    @property
    def warnings(self) -> list[str]:
        """What was not read, one sentence each."""
        return [*self._others(), *self._words(), *self._links()]

    def _others(self) -> list[str]:
        if not self.left_out:
            return []
        told = "was left out: its name is" if self.left_out == 1 else "were left out: their names are"
        return [f"{number_of(self.left_out, 'file')} {told} not an image's."]

    def _words(self) -> list[str]:
        if self.table is None:
            return []
        # As Hugging Face stores folders of images: https://huggingface.co/docs/datasets/image_dataset
        column = " --image-path-column file_name" if _is_metadata(self.table.name) else ""
        command = f"crossguard score {shlex.quote(str(self.table))}{column}"
        return [f"'{self.table}' may hold the words of these images, scored without them. To score both: {command}"]

    def _links(self) -> list[str]:
        if not self.linked:
            return []
        told = "was not followed: score it by its" if self.linked == 1 else "were not followed: score them by their"
        return [f"{number_of(self.linked, 'linked folder')} {told} own path."]

    def _walk(self, folder: Path) -> Iterator[Path]:
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise TableError(f"Cannot read the folder '{folder}': {error.strerror}.") from None
        for entry in entries:
            if entry.name.startswith(".") or (self._confined and entry.is_symlink()):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            elif os.path.isdir(entry.path):  # noqa: PTH112 - pathlib raises where a link leads to what may not be read
                self.linked += 1
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                yield Path(entry.path)
            else:
                self.left_out += 1
                if kind_of(entry.name) in _WITH_COLUMNS and (self.table is None or _is_metadata(entry.name)):
                    self.table = Path(entry.path)


def _is_metadata(name: str) -> bool:
    return name.startswith("metadata.")
