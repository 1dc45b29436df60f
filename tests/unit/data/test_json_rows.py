"""Posts from JSON Lines and JSON arrays, and every way these can be wrong."""

from __future__ import annotations

import gzip
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.tables import brief, read, write

from crossguard.data import json_rows
from crossguard.data.post_builder import PostBuilder
from crossguard.data.tables import Columns, PostReader
from crossguard.errors import TableError
from crossguard.records import Post


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
        monkeypatch.setattr(json_rows, "_CHUNK", 50)
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
        with pytest.raises(TableError, match="damaged after 1 item of"):
            next(reader)

    @pytest.mark.parametrize("between", ["\n", "", " , ", "\n[]\n", "\n" * 5000])
    def test_arrays_that_were_joined_are_read_to_the_end(self, tmp_path: Path, between: str) -> None:
        text = f'[{{"text": "a"}}, {{"text": "b"}}]{between}[{{"text": "c"}}]\n{{"text": "d"}}\n'
        expected = [("item-1", "a"), ("item-2", "b"), ("item-3", "c"), ("item-4", "d")]
        for name in ("in.json", "in.jsonl"):
            assert brief(read(write(tmp_path / name, text))) == expected

    def test_what_is_no_array_behind_one_is_told(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.json", '[{"text": "a"}]\n"b"\n')
        with pytest.raises(TableError, match="goes on behind a JSON array of 1 item with"):
            read(path)

    def test_an_array_in_one_line_takes_linear_time(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.json", json.dumps([{"text": "a" * 300}] * 12_000))
        before = time.process_time()
        assert len(read(path)) == 12_000
        assert time.process_time() - before < 1

    def test_an_array_in_one_line_may_be_longer_than_a_line(self) -> None:
        item = b'{"text": "' + b"a" * 2**20 + b'"}'
        stream = io.BytesIO(b"[" + b",".join([item] * 65) + b"]")
        posts = json_rows.read_jsonl(stream, PostBuilder(Columns(), Path()), "'in.json'")
        assert sum(post.error is None for post in posts) == 65

    def test_an_array_in_one_line_is_utf8(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="not valid UTF-8"):
            read(write(tmp_path / "in.json", '[{"text": "café"}]'.encode("latin-1")))
        assert brief(read(write(tmp_path / "in.json", b'\xef\xbb\xbf\n \n[{"text": "a"}]'))) == [("item-1", "a")]

    def test_an_array_behind_a_broken_first_line_does_not_end_the_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", 'broken\n[{"text": "a"}]\n{"text": "b"}\n')
        told = [("line-1", "!line_malformed"), ("line-2", "!line_malformed"), ("line-3", "b")]
        assert brief(read(path)) == told

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
        monkeypatch.setattr("crossguard.data.lines.MAX_LINE_BYTES", 100)
        path = write(tmp_path / "in.jsonl", '{"text": "' + "a" * 1000 + '"}\n{"text": "b"}\n')
        assert brief(read(path)) == [("line-1", "!line_too_long"), ("line-2", "b")]

    def test_wrong_column_names_are_told_at_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.jsonl", '{"id": "1", "words": "a"}\n')
        with pytest.raises(TableError, match=r"It has: id, words.*--text-column"):
            read(path)
        with pytest.raises(TableError, match="Did you mean 'words'"):
            read(path, columns=Columns(text="wrds"))

    @pytest.mark.parametrize("items", [["one", "two"], [[1, "one"], [2, "two"]]])
    @pytest.mark.parametrize("indent", [None, 2])
    def test_items_that_are_no_objects_are_refused(self, tmp_path: Path, items: list[Any], indent: int | None) -> None:
        with pytest.raises(TableError, match=r"holds no objects. An object per post is needed"):
            read(write(tmp_path / "in.json", json.dumps(items, indent=indent)))

    def test_objects_over_several_lines_are_told_the_way_to_one_line_each(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match=r"objects over several lines.*jq -c \. FILE"):
            read(write(tmp_path / "in.jsonl", json.dumps({"text": "one"}, indent=2)))

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
