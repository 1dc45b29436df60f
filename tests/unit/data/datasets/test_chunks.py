"""Training tables, some rows at a time: files of a folder, other tables, and what they lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.data.datasets import chunks
from crossguard.data.datasets.chunks import lost_images, read_chunks, training_files
from crossguard.data.datasets.rows import Row, write_table
from crossguard.data.storage import Storage
from crossguard.errors import TableError


def rows(*ids: str) -> list[Row]:
    return [Row(id_, f"words of {id_}", labels={"racist": 1.0}) for id_ in ids]


def ids(place: Path) -> list[list[str]]:
    """Returns the ids of each chunk."""
    return [chunk["id"].to_pylist() for _, chunk, _ in read_chunks(Storage(str(place)), ["racist"])]


def test_a_folder_is_its_parquet_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_table(rows("b"), ("racist",), "t", tmp_path / "2.parquet")
    write_table(rows("a"), ("racist",), "t", tmp_path / "1.parquet")
    (tmp_path / "1.report.json").write_text("{}")
    assert ids(tmp_path) == [["a"], ["b"]]
    assert [Path(entry.path).name for entry in training_files(Storage(str(tmp_path)))] == ["1.parquet", "2.parquet"]
    assert training_files(Storage(str(tmp_path / "nowhere"))) == []


def test_a_long_table_comes_in_pieces_and_one_without_rows_comes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 2)
    write_table(rows("a", "b", "c"), ("racist",), "t", tmp_path / "t.parquet")
    assert ids(tmp_path / "t.parquet") == [["a", "b"], ["c"]]
    write_table([], ("racist",), "t", tmp_path / "none.parquet")
    assert ids(tmp_path / "none.parquet") == [[]]


def test_any_other_annotated_table_becomes_one_without_what_nobody_annotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS", 2)
    path = tmp_path / "mine.csv"
    path.write_text("id,text,racist,lang\na,one,1,en\nb,two,,en\nc,three,0,en\nd,four,0.5,en\n")
    ((address, first, unanswered), (_, second, none)) = read_chunks(Storage(str(path)), ["racist"])
    assert address == str(path)
    assert (first["id"].to_pylist(), second["id"].to_pylist()) == (["a"], ["c", "d"])
    assert (unanswered, none) == (["train"], [])
    assert second["racist"].to_pylist() == [0.0, 0.5]
    assert second["lang"].to_pylist() == [None, None]  # no label of the recipe, and named where there is none
    path.write_text("id,text,racist\na,one,\n")
    assert ids(path) == [[]]


def test_a_table_that_is_damaged_behind_its_footer_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(rows(*map(str, range(2000))), ("racist",), "t", path)
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"Cannot read the table .*t\.parquet"):
        ids(path)


def test_images_that_were_lost_add_up_over_files_and_the_splits_in_use(tmp_path: Path) -> None:
    write_table(rows("a"), (), "t", tmp_path / "1.parquet", {"train": 3, "test": 50})
    write_table(rows("b"), (), "t", tmp_path / "2.parquet", {"train": 1, "val": 2})
    place = Storage(str(tmp_path))
    assert lost_images(place, ("train", "val")) == 6
    assert lost_images(place, ("train", "train")) == 4, "a split that is named twice counts once"
    (tmp_path / "mine.csv").write_text("text\na\n")
    assert lost_images(Storage(str(tmp_path / "mine.csv")), ("train",)) == 0
