"""Posts from Parquet."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.tables import ROUNDED, brief, read, write

from crossguard.data.tables import PostReader
from crossguard.errors import MissingExtraError, TableError
from crossguard.records import Post


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


def test_ids_that_pandas_has_made_floats_are_told(tmp_path: Path) -> None:
    ids = pa.array([1114679353714016259.0, None, 1114679353714016777.0])
    pq.write_table(pa.table({"id": ids, "text": ["a", "b", "c"]}), tmp_path / "in.parquet")
    reader = PostReader(tmp_path / "in.parquet")
    assert [post.id for post in reader] == ["1114679353714016256", "row-2", "1114679353714016768"]
    assert reader.warnings == [ROUNDED]
