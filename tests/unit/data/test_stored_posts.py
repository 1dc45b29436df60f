"""One table, or all tables of a folder, in the order of their names."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crossguard.data.columns import Columns, PostBuilder
from crossguard.data.stored_posts import open_posts
from crossguard.errors import TableError

pytest.importorskip("pyarrow")


def texts(path: Path) -> list[str]:
    return [post.text for post in open_posts(path, PostBuilder(Columns(), path.parent))]


def test_a_folder_is_read_in_the_order_of_names_whatever_the_format(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "tables"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"text\nsecond\n"))
    pq.write_table(pa.table({"text": ["first"]}), folder / "a.parquet")
    (folder / "deep" / "c.jsonl").write_text('{"text": "third"}\n')
    (folder / "_manifest.jsonl").write_text('{"text": "no post"}\n')
    (folder / "notes.md").write_text("no table")
    (folder / "z.csv").write_text("")
    assert texts(folder) == ["first", "second", "third"]
    assert texts(folder / "deep" / "c.jsonl") == ["third"]


def test_a_folder_without_a_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("no table")
    with pytest.raises(TableError, match=r"no table in .*\.parquet"):
        open_posts(tmp_path, PostBuilder(Columns(), tmp_path))
