"""Posts from every kind of table, and every way a table can be wrong."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossguard.data import text_rows
from crossguard.data.tables import Columns, PostReader
from crossguard.errors import MissingExtraError, TableError
from crossguard.records import Post


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **options: Any) -> list[Post]:
    return list(PostReader(path, **options))


def brief(entries: list[Post]) -> list[tuple[str, str]]:
    return [(entry.id, entry.text if entry.error is None else f"!{entry.error.code}") for entry in entries]


class TestJsonl:
    def test_columns(self, tmp_path: Path) -> None:
        rows = [
            {"id": "a", "text": "one", "image_path": "p/x.png", "image_text": "words", "extra": 1},
            {"id": 7, "text": None, "image_path": "/abs/y.png"},
            {"id": 7.0, "image_path": "data:image/png;base64,AA=="},
            {"id": 2**70, "text": 12, "image": "data:,x"},
        ]
        path = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
        assert read(path) == [
            Post("a", "one", str(tmp_path / "p/x.png"), "words"),
            Post("7", "", "/abs/y.png"),
            Post("7", "", "data:image/png;base64,AA=="),
            Post(str(2**70), "12", "data:,x"),
        ]

    def test_renamed_columns_and_image_root(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"key": "a", "body": "one", "pic": "x.png", "ocr": "w"}\n')
        columns = Columns(id="key", text="body", image_path="pic", image_text="ocr")
        assert read(path, columns=columns, image_root="/root") == [Post("a", "one", "/root/x.png", "w")]

    def test_missing_ids_are_the_line_numbers(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '\n{"text": "a"}\n\n{"text": "b", "id": null}\n{"text": "c", "id": ""}')
        assert brief(read(path)) == [("line-2", "a"), ("line-4", "b"), ("line-5", "c")]

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (b'{"text": "a"', "line_malformed"),
            (b"text", "line_malformed"),
            (b'"text"', "line_malformed"),
            (b"[1]", "line_malformed"),
            (b"\0\0\0\0", "line_malformed"),
            (b"[" * 100_000, "line_malformed"),
            (b'{"id": ' + b"1" * 5000 + b"}", "line_malformed"),
            (b'{"text": "\xff\xfe"}', "invalid_utf8"),
            (b'{"text": {"a": 1}}', "field_bad_type"),
            (b'{"text": "a", "image_path": [1]}', "field_bad_type"),
            (b'{"text": true}', "field_bad_type"),
        ],
    )
    def test_bad_line_fails_by_number_and_the_next_is_read(self, tmp_path: Path, line: bytes, code: str) -> None:
        path = write(tmp_path / "in.jsonl", b'{"id": 1, "text": "a"}\n' + line + b'\r\n{"id": 3, "text": "c"}\n')
        first, bad, last = read(path)
        assert (first.id, last.id) == ("1", "3")
        assert bad.error is not None
        assert (bad.id, bad.error.code) == ("line-2", code)
        assert "line" in bad.error.message.lower()
        assert "2" in bad.error.message
        assert "\n" not in bad.error.message

    def test_a_failed_row_keeps_its_id(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"id": "x", "text": []}\n')
        assert brief(read(path)) == [("x", "!field_bad_type")]

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", b'\xef\xbb\xbf{"id": "1", "text": "a"}\n')
        assert read(path) == [Post("1", "a")]

    def test_utf16_says_how_to_convert(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"text": "a"}\n'.encode("utf-16"))
        with pytest.raises(TableError, match="iconv"):
            read(path)

    @pytest.mark.parametrize("indent", [None, 2])
    def test_json_array(self, tmp_path: Path, indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_rows, "_CHUNK", 50)
        rows = [{"id": str(n), "text": f'say "é" {n} ]' * n} for n in range(1, 30)]
        path = write(tmp_path / "in.json", json.dumps([*rows[:5], 7, *rows[5:]], indent=indent, ensure_ascii=False))
        posts = read(path)
        assert brief(posts[:5] + posts[6:]) == [(row["id"], row["text"]) for row in rows]
        assert brief(posts[5:6]) == [("item-6", "!line_malformed")]

    @pytest.mark.parametrize("rest", ["", '{"text": "b"', '{"text": }]', '{"text": "b', "nonsense"])
    def test_a_damaged_array_gives_what_it_has(self, tmp_path: Path, rest: str) -> None:
        path = write(tmp_path / "in.json", f'[\n{{"text": "a"}},\n{rest}')
        reader = iter(PostReader(path))
        assert next(reader).text == "a"
        with pytest.raises(TableError, match="damaged after 1 items"):
            next(reader)

    def test_an_empty_array_has_no_posts(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "in.json", "[]")) == []

    def test_nul_and_zero_width_characters_come_through(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", b'{"text": "a\\u0000b\0c\xe2\x80\x8bd"}\n')
        assert brief(read(path)) == [("line-1", "a\0b\0c\u200bd")]

    def test_half_characters_are_replaced_so_that_the_id_can_be_written(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", r'{"id": "a\ud83d", "text": "\ud83d\ude00 \udc80 é"}')
        assert brief(read(path)) == [("a\ufffd", "\U0001f600 \ufffd é")]

    def test_one_megabyte_of_text(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", json.dumps({"text": "a" * 1_000_000}))
        (post,) = read(path)
        assert isinstance(post, Post)
        assert len(post.text) == 1_000_000

    def test_line_without_end_is_read_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_rows.Lines.__init__, "__defaults__", (100,))
        path = write(tmp_path / "in.jsonl", '{"text": "' + "a" * 1000 + '"}\n{"text": "b"}\n')
        assert brief(read(path)) == [("line-1", "!line_too_long"), ("line-2", "b")]

    def test_wrong_column_names_are_told_at_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"id": "1", "words": "a"}\n')
        with pytest.raises(TableError, match=r"It has: id, words.*--text-column"):
            read(path)
        with pytest.raises(TableError, match="Did you mean 'words'"):
            read(path, columns=Columns(text="wrds"))

    def test_empty_fields_may_be_left_out(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"id": "1"}\n{"id": "2", "text": "b"}\n')
        assert read(path) == [Post("1"), Post("2", "b")]

    def test_gzip(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl.gz", gzip.compress(b'{"id": "1", "text": "a"}\n'))
        assert read(path) == [Post("1", "a")]
        write(path, gzip.compress(b'{"id": "1", "text": "a"}\n' * 99)[:-9])
        with pytest.raises(TableError, match="damaged"):
            read(path)
        write(path, b"not gzip")
        with pytest.raises(TableError, match="damaged"):
            read(path)

    def test_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stdin = io.TextIOWrapper(io.BytesIO(b'{"id": "1", "image_path": "x.png"}\n'))
        monkeypatch.setattr("sys.stdin", stdin)
        assert list(PostReader("-")) == [Post("1", "", "x.png")]


class TestCsv:
    def test_columns(self, tmp_path: Path) -> None:
        content = '\ufeffid, text ,image_path\r\n1,"a, ""b""\nc",x.png\r\n,d,\r\n'
        path = write(tmp_path / "in.csv", content)
        assert read(path) == [Post("1", 'a, "b"\nc', str(tmp_path / "x.png")), Post("line-4", "d")]

    @pytest.mark.parametrize(("name", "mark"), [("in.csv", ";"), ("in.tsv", "\t"), ("in.csv", "\t")])
    def test_other_delimiters(self, tmp_path: Path, name: str, mark: str) -> None:
        path = write(tmp_path / name, f"id{mark}text\n1{mark}a, b\n")
        assert read(path) == [Post("1", "a, b")]

    def test_ragged_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,text\n1,a\n2\n3,b,c\n\n4,d\n")
        assert brief(read(path)) == [("1", "a"), ("line-3", "!row_ragged"), ("line-4", "!row_ragged"), ("4", "d")]

    def test_quote_that_never_ends_names_its_lines(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", 'id,text\n1,a\n2,"b\n3,c\n')
        _, bad, after = read(path)
        assert bad.error is not None
        assert (bad.id, bad.error.code) == ("line-3", "line_malformed")
        assert bad.error.message.startswith("Line 3:")
        assert after == Post("3", "c")

    def test_an_open_quote_does_not_swallow_the_file(self, tmp_path: Path) -> None:
        good = "".join(f'{n},"text {n}, line 1\nline 2"\n' for n in range(5000))
        path = write(tmp_path / "in.csv", f'id,text\na,"open\n{good}')
        posts = read(path)
        # With the first quote open, the next one closes it in the wrong place; only that row is lost.
        assert brief(posts[:1]) == [("line-2", "!line_malformed")]
        assert brief(posts[1:]) == [(str(n), f"text {n}, line 1\nline 2") for n in range(5000)]

    def test_text_after_a_quote(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", 'id,text\n1,"a"b\n2,c\n')
        assert brief(read(path)) == [("line-2", "!line_malformed"), ("2", "c")]

    def test_invalid_utf8_in_one_row(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", b"id,text\n1,\xff\n2,\xc3\xa9\n")
        assert brief(read(path)) == [("line-2", "!invalid_utf8"), ("2", "é")]

    def test_nul_comes_through(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", b"id,text\n1,a\0b\n")
        assert brief(read(path)) == [("1", "a\0b")]

    def test_field_beyond_the_modules_own_limit(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,text\n1," + "a" * 1_000_000 + "\n")
        (post,) = read(path)
        assert isinstance(post, Post)
        assert len(post.text) == 1_000_000

    def test_line_without_end_is_read_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_rows.Lines.__init__, "__defaults__", (100,))
        path = write(tmp_path / "in.csv", "id,text\n1," + "a" * 1000 + "\n2,b\n")
        assert brief(read(path)) == [("line-2", "!line_too_long"), ("2", "b")]

    def test_missing_column(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,words\n1,a\n")
        with pytest.raises(TableError, match=r"none of the columns text.*It has: id, words"):
            read(path)
        with pytest.raises(TableError, match=r"no column 'wrds' for text\. Did you mean 'words'"):
            read(path, columns=Columns(text="wrds"))

    def test_doubled_column(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="'text' twice"):
            read(write(tmp_path / "in.csv", "id,text,text\n1,a,b\n"))
        assert read(write(tmp_path / "in.csv", "id,text,x,x\n1,a,b,c\n")) == [Post("1", "a")]

    @pytest.mark.parametrize("content", ["\n\n", '"id'])
    def test_no_header(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(TableError, match="header"):
            read(write(tmp_path / "in.csv", content))

    def test_header_alone(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "in.csv", "id,text\n")) == []


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
        assert any("2 files were left out" in warning for warning in reader.warnings)

    def test_no_pictures(self, tmp_path: Path) -> None:
        write(tmp_path / "a.txt", "x")
        with pytest.raises(TableError, match="No images"):
            read(tmp_path)

    def test_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / b"\xff.png".decode("utf-8", "surrogateescape")).touch()
        assert [post.id for post in read(tmp_path)] == ["\ufffd.png"]


class TestSource:
    def test_missing_file_suggests_a_neighbour(self, tmp_path: Path) -> None:
        write(tmp_path / "posts.jsonl", "x")
        with pytest.raises(TableError, match=r"Did you mean '.*posts\.jsonl'"):
            PostReader(tmp_path / "post.jsonl")
        with pytest.raises(TableError, match="No such file"):
            PostReader(tmp_path / "no" / "where")

    @pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
    def test_empty_file(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(TableError, match="empty"):
            PostReader(write(tmp_path / name, ""))

    def test_picture_instead_of_a_table(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="--image"):
            PostReader(write(tmp_path / "a.png", "x"))

    def test_unknown_suffix_and_format(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.dat", '{"id": "1", "text": "a"}')
        with pytest.raises(TableError, match="--input-format"):
            PostReader(path)
        with pytest.raises(TableError, match="Did you mean 'jsonl'"):
            PostReader(path, format="json")
        assert read(path, format="jsonl") == [Post("1", "a")]

    def test_folder_given_as_a_table(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="is a folder"):
            PostReader(tmp_path, format="csv")
        with pytest.raises(TableError, match="is not a folder"):
            PostReader(write(tmp_path / "a.csv", "x"), format="folder")

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

    def test_two_usual_names_are_not_guessed_between(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match=r"comment, message.*--text-column 'comment'"):
            read(write(tmp_path / "in.csv", "id,comment,message\n1,a,b\n"))

    def test_each_object_of_json_has_its_own_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"text": "a"}\n{"Text": "b"}\n{"comment": "c", "message": "d"}\n')
        assert brief(read(path)) == [("line-1", "a"), ("line-2", "b"), ("line-3", "!field_ambiguous")]

    def test_other_columns_come_along_on_request(self, tmp_path: Path) -> None:
        path = tmp_path / "in.parquet"
        pq.write_table(pa.table({"id": ["1"], "text": ["a"], "racist": [0.5], "split": ["val"]}), path)
        assert [post.extra for post in read(path, extra=True)] == [{"racist": 0.5, "split": "val"}]
        assert [post.extra for post in read(path)] == [{}]


class TestOtherFormats:
    def test_lines_of_text(self, tmp_path: Path) -> None:
        assert brief(read(write(tmp_path / "in.txt", b"a, b\n\n\xff\nc\n"))) == [
            ("line-1", "a, b"),
            ("line-3", "!invalid_utf8"),
            ("line-4", "c"),
        ]

    def test_excel(self, tmp_path: Path) -> None:
        openpyxl = pytest.importorskip("openpyxl", reason="needs crossguard[excel]")
        book = openpyxl.Workbook()
        for row in (("id", "Comment", "when"), (7, "=a", None), (None, None, None), ("x", None, 3.5)):
            book.active.append(row)
        book.active["B2"].data_type = "s"
        book.save(tmp_path / "in.xlsx")
        reader = PostReader(tmp_path / "in.xlsx", extra=True)
        assert list(reader) == [Post("7", "=a", extra={"when": None}), Post("x", "", extra={"when": 3.5})]

    def test_what_is_not_excel(self, tmp_path: Path) -> None:
        pytest.importorskip("openpyxl", reason="needs crossguard[excel]")
        with pytest.raises(TableError, match="cannot be read as Excel"):
            read(write(tmp_path / "in.xlsx", "id,text\n"))

    @pytest.mark.parametrize("content", [b"id,text\n1,a\n", b"\xef\xbb\xbfid;text\n1;a\n", b'[{"id": 1, "text": "a"}]'])
    def test_stdin_is_known_by_its_start(self, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
        buffered = io.BufferedReader(io.BytesIO(content))
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(buffered))
        assert [post.text for post in PostReader("-")] == ["a"]
