"""Posts from Arrow files, and where their record batches lie, held against pyarrow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossguard.data.arrow_rows import ArrowPosts, record_batches
from crossguard.data.columns import Columns
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import TableError
from crossguard.records import Post

ROWS: list[dict[str, Any]] = [{"id": str(number), "text": f"text {number}", "likes": number} for number in range(10)]


def stored(kind: str, size: int = 4, rows: list[dict[str, Any]] = ROWS) -> bytes:
    table = pa.Table.from_pylist(rows)
    sink = io.BytesIO()
    with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=size)
    return sink.getvalue()


def opened(data: bytes, *, extra: bool = False) -> ArrowPosts:
    return ArrowPosts(io.BytesIO(data), PostBuilder(Columns(), Path(), extra=extra), "'in.arrow'")


def test_posts_come_in_order_with_the_other_columns_on_request() -> None:
    data = stored("stream")
    assert list(opened(data).read()) == [Post(row["id"], row["text"]) for row in ROWS]
    assert [post.extra for post in opened(data, extra=True).read()] == [{"likes": row["likes"]} for row in ROWS]


@pytest.mark.parametrize("extra", [True, False])
def test_words_under_another_name_are_told_beside_images(*, extra: bool) -> None:
    data = stored("stream", rows=[{"image_path": "a.png", "Kommentar": f"what they said {row}"} for row in range(10)])
    builder = PostBuilder(Columns(), Path(), extra=extra)
    assert len(list(ArrowPosts(io.BytesIO(data), builder, "'in.arrow'").read())) == 10
    assert [note.split("'")[1] for note in builder.words] == ["Kommentar"]


def test_unused_columns_of_one_name_are_no_words_beside_images() -> None:
    table = pa.table([["a.png"], ["what they said"], [2]], names=["image_path", "x", "x"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (post,) = opened(sink.getvalue()).read()
    assert post.image == "a.png"


def test_of_columns_of_one_name_the_last_is_kept() -> None:
    table = pa.table([pa.array(["a"]), pa.array([1]), pa.array([2])], names=["text", "x", "x"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert [post.extra for post in opened(sink.getvalue(), extra=True).read()] == [{"x": 2}]


def test_rows_without_ids_are_named_from_the_first() -> None:
    data = stored("stream", rows=[{"text": "a"}, {"text": "b"}])
    assert [post.id for post in opened(data).read(first=101)] == ["row-101", "row-102"]


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_batches_are_found_by_their_headers(kind: str) -> None:
    data = stored(kind)
    begin, batches = record_batches(io.BytesIO(data), "'in.arrow'")
    assert [batch.rows for batch in batches] == [4, 4, 2]
    assert begin == (8 if kind == "file" else 0)
    # The schema and any one batch are a stream of their own.
    schema = data[begin : batches[0].start]
    for place, batch in enumerate(batches):
        part = pa.ipc.open_stream(schema + data[batch.start : batch.stop]).read_all()
        assert part.to_pylist() == ROWS[4 * place : 4 * place + batch.rows]


def test_a_dictionary_that_changes_midway_is_refused() -> None:
    schema = pa.schema([("text", pa.dictionary(pa.int8(), pa.string()))])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=False)) as writer:
        for words in (["a"], ["b", "c"]):
            column = pa.array(words).dictionary_encode().cast(schema.field("text").type)
            writer.write_batch(pa.record_batch([column], schema=schema))
    with pytest.raises(TableError, match="changes its dictionaries midway"):
        record_batches(io.BytesIO(sink.getvalue()), "'in.arrow'")


@pytest.mark.parametrize("data", [b"id,text\n1,a\n", b"\xff\xff\xff\xff\xff\xff\xff\x7f"])
def test_batches_are_not_looked_for_in_what_is_no_arrow(data: bytes) -> None:
    with pytest.raises(TableError, match=r"'in\.arrow' cannot be read as Arrow"):
        record_batches(io.BytesIO(data), "'in.arrow'")


@pytest.mark.parametrize("data", [b"id,text\n1,a\n", stored("stream")[:100]])
def test_what_is_no_arrow_or_has_no_whole_schema_is_told_at_once(data: bytes) -> None:
    with pytest.raises(TableError, match=r"'in\.arrow' cannot be read as Arrow"):
        opened(data)


def test_a_batch_that_is_cut_is_told_with_the_rows_before_it() -> None:
    data = stored("stream")
    _, batches = record_batches(io.BytesIO(data), "'in.arrow'")
    reader = opened(data[: batches[1].stop - 8]).read()
    assert [next(reader).id for _ in range(4)] == ["0", "1", "2", "3"]
    with pytest.raises(TableError, match="is damaged after row 4"):
        next(reader)
