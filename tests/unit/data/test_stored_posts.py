"""One table, or all tables of a folder, in the order of their names."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.tables import packed

from crossguard.data.columns import Columns
from crossguard.data.post_builder import PostBuilder
from crossguard.data.storage import Storage
from crossguard.data.stored_posts import LeftOut, open_posts, table_files
from crossguard.errors import TableError


def texts(path: Path) -> list[str]:
    return [post.text for post in open_posts(path, PostBuilder(Columns(), path.parent))]


def test_a_folder_is_read_in_the_order_of_names_whatever_the_format(tmp_path: Path) -> None:
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
    (folder / "y.csv").symlink_to("gone.csv")
    with pytest.raises(TableError, match=r"y\.csv' is a link to 'gone\.csv', which is not there"):
        texts(folder)


def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder(tmp_path: Path) -> None:
    for name in ("Who?", "Whoa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(f"text\n{name}\n")
    assert [entry.path for entry, _ in table_files(Storage(f"{tmp_path}/Who?"))] == [f"{tmp_path}/Who?/a.csv"]


def test_decisions_that_a_job_made_beside_its_input_are_no_posts(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text\none\n")
    for name in ("decisions/_job/job.json", "decisions/00000/part-00000000-9f86d081-1-0.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text('{"text": "no post"}\n')
    assert texts(tmp_path) == ["one"]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.csv.bz2", ".csv.bz2"), ("a.XLSX.gz", ".xlsx.gz"), ("2024.05.ods", ".ods"), ("a.tar.xz", ".tar.xz"),
        ("a.gz", ".gz"), ("README", ""), ("posts.csv.old", ".csv.old"),
    ],
)  # fmt: skip
def test_files_that_are_not_read_are_counted_by_what_people_call_them(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / name).touch()
    left_out = LeftOut()
    assert list(table_files(Storage(str(tmp_path)), left_out=left_out)) == []
    assert left_out.others == {suffix: 1}


def test_images_of_a_folder_of_tables_lie_beside_their_table(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "posts.csv").write_text("id,image_path\n1,x.png\n")
    posts = open_posts(tmp_path, PostBuilder(Columns(), tmp_path.parent))
    assert [post.image for post in posts] == [str(tmp_path / "a" / "x.png"), str(tmp_path / "b" / "x.png")]


@pytest.mark.parametrize("name", ["a.jpg", "*.jpg", "*"])
def test_images_in_the_place_of_a_table_are_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(TableError, match=rf"crossguard score {tmp_path}/$"):
        list(table_files(Storage(str(tmp_path / name))))


def test_a_folder_without_a_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("no table")
    with pytest.raises(TableError, match=r"no table in .*\.parquet"):
        open_posts(tmp_path, PostBuilder(Columns(), tmp_path))


@pytest.mark.parametrize("suffix", ["arrow", "feather", "stream.arrow"])
def test_what_hugging_face_saves_is_read_without_what_lies_beside_it(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"text": ["one", "two"]})
    folder = tmp_path / "saved"
    folder.mkdir()
    path = folder / f"data-00000-of-00001.{suffix}"
    new = pa.ipc.new_stream if suffix.startswith("stream") else pa.ipc.new_file
    with new(path, table.schema) as writer:
        writer.write_table(table)
    (folder / "dataset_info.json").write_text('{"description": "no post"}')
    (folder / "state.json").write_text('{"_fingerprint": "no post"}')
    assert texts(folder) == texts(path) == ["one", "two"]


def test_the_report_of_prepare_is_no_table_beside_its_own(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one"]}), tmp_path / "mine.parquet")
    (tmp_path / "mine.report.json").write_text('{\n  "dataset": "table"\n}\n')
    (tmp_path / "monthly.report.json").write_text('{"text": "two"}\n')
    assert texts(tmp_path) == ["one", "two"]


def test_a_tar_file_of_webdataset_is_read(tmp_path: Path) -> None:
    (tmp_path / "posts.tar").write_bytes(packed({"a.txt": b"one", "b.txt": b"two"}))
    assert texts(tmp_path / "posts.tar") == ["one", "two"]


def test_a_table_packed_by_zstandard_is_read(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv.ZST"
    path.write_bytes(pa.compress(b"id,text\n1,one\n", "zstd", asbytes=True))
    assert texts(path) == ["one"]


def test_a_table_that_is_not_there_is_told_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text\none\n")
    with pytest.raises(TableError, match=r"Did you mean '.*posts\.csv'"):
        open_posts(tmp_path / "post.csv", PostBuilder(Columns(), tmp_path))


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_packed_file_that_was_cut_is_told_also_in_a_folder(tmp_path: Path, codec: str) -> None:
    lines = b"".join(b'{"text": "post %d of %d"}\n' % (number, number**3) for number in range(20_000))
    whole = gzip.compress(lines) if codec == "gzip" else pa.compress(lines, "zstd", asbytes=True)
    path = tmp_path / f"a.jsonl.{'gz' if codec == 'gzip' else 'zst'}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match=r"'.*a\.jsonl\.(gz|zst)' is damaged after [\d,]+ posts: "):
        texts(tmp_path)
