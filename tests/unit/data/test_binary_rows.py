"""Posts from Parquet and from folders of images."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.tables import brief, read, write

from crossguard.data.binary_rows import ExcelPosts, rows_of
from crossguard.data.columns import Columns
from crossguard.data.post_builder import PostBuilder
from crossguard.data.tables import PostReader, read_rows
from crossguard.errors import MissingExtraError, StorageError, TableError
from crossguard.records import Post

ROUNDED = "numbers of more than 15 digits in 'id' were rounded, by Excel or as floats: store ids as text"


class TestParquet:
    def test_columns(self, tmp_path: Path) -> None:
        table = pa.table(
            {
                "id": [1, None, 3],
                "text": ["a", None, "c"],
                "image": [b"\x89PNG", None, b""],
                "image_path": [None, "x.png", "y.png"],
            }
        )
        pq.write_table(table, tmp_path / "in.parquet")
        assert read(tmp_path / "in.parquet") == [
            Post("1", "a", b"\x89PNG"),
            Post("row-2", "", str(tmp_path / "x.png")),
            Post("3", "c", str(tmp_path / "y.png")),
        ]

    def test_images_of_hugging_face_datasets(self, tmp_path: Path) -> None:
        images = [{"bytes": b"x", "path": "a.png"}, {"bytes": None, "path": "b.png"}, {"bytes": None, "path": None}]
        pq.write_table(pa.table({"id": ["1", "2", "3"], "image": images}), tmp_path / "in.parquet")
        assert [post.image for post in read(tmp_path / "in.parquet")] == [
            b"x",
            str(tmp_path / "b.png"),
            None,
        ]

    def test_dictionary_and_large_strings(self, tmp_path: Path) -> None:
        text = pa.array(["a", "b", "a"]).dictionary_encode()
        table = pa.table({"id": pa.array(["1", "2", "3"], pa.large_string()), "text": text})
        pq.write_table(table, tmp_path / "in.parquet")
        assert brief(read(tmp_path / "in.parquet")) == [("1", "a"), ("2", "b"), ("3", "a")]

    def test_invalid_utf8_in_one_row(self, tmp_path: Path) -> None:
        offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 1, 2, 3)))
        bad = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"a\xffc")])
        pq.write_table(pa.table({"text": bad}), tmp_path / "in.parquet")
        assert brief(read(tmp_path / "in.parquet")) == [("row-1", "a"), ("row-2", "!invalid_utf8"), ("row-3", "c")]

    def test_not_parquet(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="cannot be read as Parquet"):
            read(write(tmp_path / "in.parquet", "hello"))

    def test_missing_and_doubled_columns(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"id": ["1"], "words": ["a"]}), tmp_path / "in.parquet")
        with pytest.raises(TableError, match="It has: id, words"):
            read(tmp_path / "in.parquet")
        pq.write_table(pa.Table.from_arrays([["a"], ["b"]], names=["text", "text"]), tmp_path / "in.parquet")
        with pytest.raises(TableError, match="twice"):
            read(tmp_path / "in.parquet")

    def test_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "in.parquet"
        pq.write_table(pa.table({"text": [f"text {n}" for n in range(9000)]}), path, use_dictionary=False)
        data = bytearray(path.read_bytes())
        data[1000:20_000] = b"\xff" * 19_000
        path.write_bytes(data)
        with pytest.raises(TableError, match="damaged after row"):
            read(path)

    def test_without_pyarrow_says_what_to_install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        with pytest.raises(MissingExtraError, match=r"crossguard\[parquet\]"):
            read(write(tmp_path / "in.parquet", "x"))

    def test_stdin(self) -> None:
        with pytest.raises(TableError, match="parquet cannot come from stdin"):
            PostReader("-", format="parquet")

    def test_dates_and_times_are_texts_whatever_python_can_hold(self, tmp_path: Path) -> None:
        zoned = pa.timestamp("us", "Mars/Olympus")
        table = {
            "id": pa.array([1000], pa.timestamp("ms")),
            "text": ["hello"],
            "exact": pa.array([1], pa.timestamp("ns")),
            "late": pa.array([2**53], pa.timestamp("s")),
            "zoned": pa.array([1], zoned),
            "day": pa.array([1], pa.date32()),
            "took": pa.array([2**60], pa.duration("s")),
            "seen": pa.array([[1]], pa.list_(zoned)),
            "more": pa.array([{"at": 1}], pa.struct([("at", pa.timestamp("ns"))])),
        }
        pq.write_table(pa.table(table), tmp_path / "in.parquet", store_schema=True)
        (post,) = read(tmp_path / "in.parquet", extra=True)
        assert (post.error, post.id) == (None, "1970-01-01T00:00:01")
        assert post.extra["exact"] == "1970-01-01T00:00:00.000000001"
        assert post.extra["zoned"] == "1970-01-01T00:00:00.000001Z"
        assert post.extra["seen"] == ["1970-01-01T00:00:00.000001Z"]
        assert post.extra["more"] == {"at": "1970-01-01T00:00:00.000000001"}
        assert (post.extra["day"], post.extra["took"]) == ("1970-01-02", f"{2**60} s")
        assert isinstance(post.extra["late"], str)

    def test_times_have_one_form_whatever_the_rows_around_them_hold(self, tmp_path: Path) -> None:
        """Rows are read 64 at a time, and the exact time of the last one is none that Python holds."""
        instants = [1_774_751_400_000_000_000] * 65 + [1]
        table = {"text": ["hello"] * 66, "at": pa.array(instants, pa.timestamp("ns", "Asia/Tokyo"))}
        pq.write_table(pa.table(table | {"took": pa.array(instants, pa.duration("ns"))}), tmp_path / "in.parquet")
        extras = [post.extra for post in read(tmp_path / "in.parquet", extra=True)]
        assert {extra["at"] for extra in extras[:65]} == {"2026-03-29T02:30:00.000000000Z"}
        assert {extra["took"] for extra in extras[:65]} == {"1774751400000000000 ns"}
        assert extras[65] == {"at": "1970-01-01T00:00:00.000000001Z", "took": "1 ns"}

    def test_ids_and_texts_of_other_types_are_read(self, tmp_path: Path) -> None:
        ids = pa.array([Decimal("12345678901234567890123456789012.00")], pa.decimal128(38, 2))
        pq.write_table(pa.table({"id": ids, "text": [b"gr\xc3\xbcn"]}), tmp_path / "in.parquet")
        assert brief(read(tmp_path / "in.parquet")) == [("12345678901234567890123456789012", "grün")]


class TestFolder:
    def test_pictures_in_order(self, tmp_path: Path) -> None:
        for name in ("b/2.jpg", "b/10.PNG", "a.webp", "c.gif", ".hidden/x.png", "notes.txt", ".x.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            write(tmp_path / name, "x")
        (tmp_path / "loop").symlink_to(tmp_path)
        reader = PostReader(tmp_path)
        posts = list(reader)
        assert [post.id for post in posts] == ["a.webp", "b/10.PNG", "b/2.jpg", "c.gif"]
        assert [post.image for post in posts] == [tmp_path / post.id for post in posts]
        assert reader.warnings == [
            "1 file was left out: its name is not an image's.",
            "1 linked folder was not followed: score it by its own path.",
        ]

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (["notes.txt", "readme.md"], None),
            (["a.csv"], "a.csv"),
            (["a.json", "metadata.csv"], "metadata.csv --image-path-column file_name"),
            (["metadata.jsonl", "z.csv"], "metadata.jsonl --image-path-column file_name"),
        ],
    )
    def test_a_table_among_the_images_is_named_as_it_may_hold_their_words(
        self, tmp_path: Path, names: list[str], told: str | None
    ) -> None:
        for name in ("1.jpg", *names):
            write(tmp_path / name, "x")
        reader = PostReader(tmp_path)
        assert len(list(reader)) == 1
        said = [warning for warning in reader.warnings if "words of these images" in warning]
        assert [warning.partition("To score both: ")[2] for warning in said] == (
            [] if told is None else [f"crossguard score {tmp_path}/{told}"]
        )

    def test_links_to_folders_are_told_whatever_they_are_called(self, tmp_path: Path) -> None:
        (tmp_path / "posts").mkdir()
        for name in ("a.png", "b"):
            (tmp_path / "posts" / name).symlink_to(tmp_path)
        with pytest.raises(TableError, match=r"\(0 other files\). 2 linked folders were not followed:"):
            read(tmp_path / "posts")

    def test_no_pictures(self, tmp_path: Path) -> None:
        write(tmp_path / "a.txt", "x")
        with pytest.raises(TableError, match="No images"):
            read(tmp_path)

    def test_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / b"\xff.png".decode("utf-8", "surrogateescape")).touch()
        assert [post.id for post in read(tmp_path)] == ["\ufffd.png"]


def test_what_arrow_alone_holds_refuses_no_table() -> None:
    columns = {
        "text": ["a", "b"],
        "gap": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
        "took": pa.array([timedelta(seconds=5), None]),
        "far": pa.array([[2**60], None], pa.large_list(pa.timestamp("us"))),
        "at": pa.array([datetime(2020, 1, 1), None]),  # noqa: DTZ001
    }
    (first, second) = rows_of(pa.RecordBatch.from_pydict(columns), None)
    assert first is not None
    assert second is not None
    assert (first["text"], first["took"], second["at"]) == ("a", "5000000 us", None)
    assert str(first["at"]).startswith("2020-01-01")


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


def workbook(path: Path, *rows: Sequence[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def numbered(path: Path, count: int) -> Path:
    return workbook(path, ["id", "text"], *([f"p{number}", f"hello {number}"] for number in range(count)))


def with_sheet(path: Path, changed: Callable[[bytes], bytes]) -> Path:
    """Changes the XML of the first sheet."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/sheet1.xml"] = changed(parts["xl/worksheets/sheet1.xml"])
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


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


def test_ids_that_pandas_has_made_floats_are_told(tmp_path: Path) -> None:
    ids = pa.array([1114679353714016259.0, None, 1114679353714016777.0])
    pq.write_table(pa.table({"id": ids, "text": ["a", "b", "c"]}), tmp_path / "in.parquet")
    reader = PostReader(tmp_path / "in.parquet")
    assert [post.id for post in reader] == ["1114679353714016256", "row-2", "1114679353714016768"]
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
