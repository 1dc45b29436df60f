"""Posts from Excel."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.support.tables import ROUNDED, read, with_sheet, workbook

from crossguard.data.columns import Columns
from crossguard.data.excel_rows import ExcelPosts
from crossguard.data.post_builder import PostBuilder
from crossguard.data.tables import PostReader, read_rows
from crossguard.errors import StorageError, TableError
from crossguard.records import Post


def test_a_storage_that_does_not_answer_is_no_broken_excel_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise StorageError("down")

    monkeypatch.setattr(openpyxl, "load_workbook", refuse)
    with pytest.raises(StorageError, match="down"):
        ExcelPosts("a.xlsx", PostBuilder(Columns(), Path()), "'a.xlsx'")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The workbooks that were opened."""
    books: list[Any] = []
    load = openpyxl.load_workbook

    def noted(*arguments: Any, **options: Any) -> Any:
        books.append(load(*arguments, **options))
        return books[-1]

    monkeypatch.setattr(openpyxl, "load_workbook", noted)
    return books


@pytest.mark.parametrize("refused", [True, False])
def test_a_workbook_is_closed(tmp_path: Path, opened: list[Any], *, refused: bool) -> None:
    builder = PostBuilder(Columns(text="words" if refused else "text"), tmp_path)
    with pytest.raises(TableError) if refused else nullcontext():
        assert next(iter(ExcelPosts(numbered(tmp_path / "in.xlsx", 2), builder, "'in.xlsx'"))).text == "hello 0"
    (book,) = opened
    assert book._archive.fp is None


def numbered(path: Path, count: int) -> Path:
    return workbook(path, ["id", "text"], *([f"p{number}", f"hello {number}"] for number in range(count)))


@pytest.mark.parametrize("said", ["A1", "A1:B3", "A1:A300"])
def test_all_rows_and_columns_of_excel_are_read_whatever_its_dimensions_say(tmp_path: Path, said: str) -> None:
    path = with_sheet(
        numbered(tmp_path / "in.xlsx", 200), lambda sheet: sheet.replace(b'"A1:B201"', f'"{said}"'.encode())
    )
    reader = PostReader(path)
    seen = [(post.text, reader.fraction) for post in reader]
    assert [text for text, _ in seen] == [f"hello {number}" for number in range(200)]
    assert all(fraction is None or fraction <= 1 for _, fraction in seen)
    assert seen[100][1] != 1, "that would say that all was read"


def test_excel_that_is_damaged_in_the_middle_is_told_with_the_place(tmp_path: Path) -> None:
    path = with_sheet(numbered(tmp_path / "in.xlsx", 200), lambda sheet: sheet[: len(sheet) // 2])
    found: list[Post] = []
    with pytest.raises(TableError, match=r"'.*in\.xlsx' is damaged after row \d+: "):
        found.extend(PostReader(path))
    assert [post.id for post in found] == [f"p{number}" for number in range(len(found))]
    assert len(found) > 50


def formulas(path: Path) -> Path:
    """Writes a workbook as libraries do that do not calculate."""
    book = openpyxl.Workbook()
    for row in (["id", "text", "note"], ["a", "plain", "=1+1"], ["b", '="un" & "seen"'], ["c", None], ["d", "=B2"]):
        book.active.append(row)
    book.active["B4"].number_format = "0.00"  # an empty cell with a format, which stands in the file
    book.save(path)
    return path


def test_a_formula_without_a_result_fails_its_post(tmp_path: Path) -> None:
    reader = PostReader(formulas(tmp_path / "in.xlsx"))
    posts = list(reader)
    assert [(post.id, post.text, post.error and post.error.code) for post in posts] == [
        ("a", "plain", None),
        ("b", "", "formula_not_calculated"),
        ("c", "", None),
        ("d", "", "formula_not_calculated"),
    ]
    assert posts[1].error is not None
    assert posts[1].error.message.startswith("Row 3: the formula in 'text' has no result. Open the workbook in Excel")
    assert not reader.warnings


def test_an_error_of_excel_is_no_text(tmp_path: Path) -> None:
    path = workbook(tmp_path / "in.xlsx", ["id", "text", "note"], ["a", "#NAME?", "#N/A"], ["b", "fine", "#N/A"])
    bad, fine = PostReader(path)
    assert bad.error is not None
    assert (bad.id, bad.error.code) == ("a", "formula_not_calculated")
    assert bad.error.message.startswith("Row 2: 'text' holds #NAME? in place of its text.")
    assert (fine.text, fine.error) == ("fine", None)


def test_ids_that_excel_has_rounded_are_told(tmp_path: Path) -> None:
    rows = [1234567890123456789, "a"], [1234567890123456000, "b"], [7, "c"]
    reader = PostReader(workbook(tmp_path / "in.xlsx", ["id", "text"], *rows))
    assert len(list(reader)) == 3
    assert reader.warnings == [ROUNDED]


def test_a_formula_without_a_result_in_a_column_that_is_kept_is_told(tmp_path: Path) -> None:
    reader = PostReader(formulas(tmp_path / "in.xlsx"), extra=True)
    assert next(iter(reader)).extra == {"note": None}
    assert [note.partition(".")[0] for note in reader.warnings] == ["formulas in 'note' without a result are left out"]


def test_rows_that_must_be_whole_have_no_formula_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="Row 2: the formula in 'note' has no result"):
        list(read_rows(formulas(tmp_path / "in.xlsx")))


def test_a_formula_with_an_empty_text_as_its_result_is_no_failure(tmp_path: Path) -> None:
    def calculated(sheet: bytes) -> bytes:
        return re.sub(rb'<c r="(B[35])"><f>([^<]*)</f><v ?/>', rb'<c r="\1" t="str"><f>\2</f><v></v>', sheet)

    path = with_sheet(formulas(tmp_path / "in.xlsx"), calculated)
    assert [(post.text, post.error) for post in PostReader(path)] == [
        ("plain", None),
        ("", None),
        ("", None),
        ("", None),
    ]


def test_a_workbook_without_doubtful_cells_is_read_once(tmp_path: Path, opened: list[Any]) -> None:
    assert len(list(PostReader(numbered(tmp_path / "in.xlsx", 20)))) == 20
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("value", "form", "id_"),
    [
        (123, "00000", "00123"),
        (123.0, "00000", "00123"),
        (1234567, "00000", "1234567"),
        (7, "0", "7"),
        (123, "General", "123"),
        (123, "0.00", "123"),
        (1.5, "000", "1.5"),
        (-12, "00000", "-12"),
        (True, "000", "!field_bad_type"),
        ("a7", "00000", "a7"),
    ],
)
def test_ids_of_a_workbook_keep_the_zeros_that_are_shown_before_them(
    tmp_path: Path, value: object, form: str, id_: str
) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["number", "id", "text"], [5, value, "hello"], [None, None, "last"]):
        sheet.append(row)
    for cell in ("A2", "B2"):
        sheet[cell].number_format = form
    book.save(tmp_path / "in.xlsx")
    first, last = read(tmp_path / "in.xlsx", extra=True)
    assert (first.id if first.error is None else f"!{first.error.code}") == id_
    assert first.extra.get("number", 5) == 5, "only ids are compared with what others wrote"
    assert last.id == "row-3"
