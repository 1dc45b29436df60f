"""Posts from every kind of table, and every way a table can be wrong."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.tables import brief, read, write, write_rows

from crossguard.data.columns import Columns
from crossguard.data.tables import PostReader, read_whole
from crossguard.errors import TableError
from crossguard.records import Post


class TestSource:
    def test_suffixes_in_capitals(self, tmp_path: Path) -> None:
        path = tmp_path / "POSTS.CSV.GZ"
        path.write_bytes(gzip.compress(b"id,text\n7,hello\n"))
        assert [post.text for post in PostReader(path)] == ["hello"]

    def test_unknown_suffix_and_format(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.dat", '{"id": "1", "text": "a"}')
        with pytest.raises(TableError, match="--input-format"):
            PostReader(path)
        with pytest.raises(TableError, match="Did you mean 'jsonl'"):
            PostReader(path, format="json")
        assert read(path, format="jsonl") == [Post("1", "a")]

    def test_doubled_ids_are_kept_and_told(self, tmp_path: Path) -> None:
        reader = PostReader(write(tmp_path / "in.csv", "id,text\n1,a\n2,b\n1,c\n1,d\n"))
        assert brief(list(reader)) == [("1", "a"), ("2", "b"), ("1", "c"), ("1", "d")]
        (warning,) = reader.warnings
        assert warning == "ids that came before: 2 (the first is '1'); all rows are kept, in order."

    def test_fraction_grows_to_one(self, tmp_path: Path) -> None:
        content = "".join(f'{{"text": "{n}"}}\n' for n in range(5000))
        reader = PostReader(write(tmp_path / "in.jsonl", content))
        fractions = [reader.fraction or 0.0 for _ in reader]
        assert fractions == sorted(fractions)
        assert 0 < fractions[0] < 0.5
        assert reader.fraction == 1.0

    def test_memory_stays_flat(self, tmp_path: Path) -> None:
        """Ten times the posts must not take ten times the memory."""
        peaks = []
        for count in (2_000, 20_000):
            path = write(tmp_path / "in.jsonl", '{"id": "a", "text": "' + "x" * 200 + '"}\n')
            path.write_bytes(path.read_bytes() * count)
            tracemalloc.start()
            assert sum(1 for _ in PostReader(path)) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 2 * peaks[0]


class TestColumns:
    @pytest.mark.parametrize("name", ["Text", "comment", "Message", "TWEET", "comment text"])
    def test_the_text_is_found_under_its_usual_names_and_said(self, tmp_path: Path, name: str) -> None:
        reader = PostReader(write(tmp_path / "in.csv", f"ID,{name},likes\n1,a,3\n"), extra=True)
        assert list(reader) == [Post("1", "a", extra={"likes": "3"})]
        assert reader.header == ("ID", name, "likes")
        assert reader.kept == ("text", "likes")
        assert [f"'{name}' is read as text" in note for note in reader.warnings] == [False, True]

    def test_the_plain_name_comes_first(self, tmp_path: Path) -> None:
        reader = PostReader(write(tmp_path / "in.csv", "id,text,comment\n1,a,b\n"))
        assert [post.text for post in reader] == ["a"]
        assert reader.warnings == []

    def test_each_object_of_json_has_its_own_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"text": "a"}\n{"Text": "b"}\n{"comment": "c", "message": "d"}\n')
        assert brief(read(path)) == [("line-1", "a"), ("line-2", "b"), ("line-3", "!field_ambiguous")]

    @pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "xlsx"])
    @pytest.mark.parametrize("extra", [True, False])
    def test_words_under_another_name_are_told_beside_images(self, tmp_path: Path, suffix: str, *, extra: bool) -> None:
        rows = [
            {
                "id": f"{row}",
                "image_path": "a.png",
                "Kommentar": f"what they said {row}",
                "when": "2026-11-30 20:03 UTC",
            }
            for row in range(3)
        ]
        path = write_rows(tmp_path / f"in.{suffix}", rows)
        reader = PostReader(path, extra=extra)
        assert [post.error for post in reader] == [None] * 3
        (told,) = reader.warnings
        assert told.startswith("column 'Kommentar' holds words, and no column is the text;")
        assert told.endswith(": --text-column Kommentar")
        assert reader.unread == [told]
        reader = PostReader(path, extra=extra, columns=Columns(text="Kommentar"))
        assert [post.text for post in reader] == [row["Kommentar"] for row in rows]
        assert reader.warnings == []

    @pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
    @pytest.mark.parametrize("extra", [True, False])
    def test_words_that_a_title_stands_for_are_told(self, tmp_path: Path, suffix: str, *, extra: bool) -> None:
        rows = [
            {"title": f"Post {row}", "Beitrag": f"what they said {row}", "tags": ["news"], "parts": [f"so it is {row}"]}
            for row in range(3)
        ]
        path = write_rows(tmp_path / f"in.{suffix}", rows)
        reader = PostReader(path, extra=extra)
        assert [post.text for post in reader] == [row["title"] for row in rows]
        told = [
            "column 'Beitrag' holds words, and 'title' alone is scored as the text; if these are the text:",
            "column 'parts' holds words inside lists or objects, and 'title' alone is scored; if these are the text,",
        ]
        cut = [note[: len(start)] for note, start in zip(reader.unread, told, strict=False)]
        assert cut == (told[:1] if suffix == "csv" else told)
        reader = PostReader(path, extra=extra, columns=Columns(text="title"))
        assert len(list(reader)) == 3
        assert reader.warnings == []

    def test_words_are_not_told_where_another_object_has_a_text(self, tmp_path: Path) -> None:
        first = '{"image_path": "a.png", "Kommentar": "what they said"}\n'
        reader = PostReader(write(tmp_path / "in.jsonl", first + '{"image_path": "b.png", "text": "hello"}\n'))
        assert len(list(reader)) == 2
        assert reader.warnings == []

    def test_other_columns_come_along_on_request(self, tmp_path: Path) -> None:
        path = tmp_path / "in.parquet"
        pq.write_table(pa.table({"id": ["1"], "text": ["a"], "racist": [0.5], "split": ["val"]}), path)
        assert [post.extra for post in read(path, extra=True)] == [{"racist": 0.5, "split": "val"}]
        assert [post.extra for post in read(path)] == [{}]


class TestOtherFormats:
    def test_excel(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        for row in (("id", "Comment", "when"), (7, "=a", None), (None, None, None), ("x", None, 3.5)):
            book.active.append(row)
        book.active["B2"].data_type = "s"
        book.save(tmp_path / "in.xlsx")
        reader = PostReader(tmp_path / "in.xlsx", extra=True)
        assert list(reader) == [Post("7", "=a", extra={"when": None}), Post("x", "", extra={"when": 3.5})]

    def test_sheets_that_are_not_read_are_told(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        book.active.append(["text"])
        book.active.append(["one"])
        book.create_sheet("More").append(["text"])
        book.save(tmp_path / "in.xlsx")
        reader = PostReader(tmp_path / "in.xlsx")
        assert [post.text for post in reader] == ["one"]
        assert reader.warnings == ["only its first sheet, 'Sheet', is read, and not: More"]
        book.active["A1"] = "words"
        book.save(tmp_path / "in.xlsx")
        with pytest.raises(TableError, match=r"and not: More\) has none of the columns"):
            list(PostReader(tmp_path / "in.xlsx"))

    def test_what_is_not_excel(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="cannot be read as Excel"):
            read(write(tmp_path / "in.xlsx", "id,text\n"))


def test_rows_of_a_whole_table_have_every_column_that_one_of_them_has(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", '{"text": "a"}\n{"text": "b", "x": 1}\n{"x": null}\n')
    assert read_whole(path) == [{"text": "a", "x": None}, {"text": "b", "x": 1}, {"text": None, "x": None}]
