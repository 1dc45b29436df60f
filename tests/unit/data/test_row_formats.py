"""Decisions as rows of text, and files that are none of ours."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.decisions import decision
from tests.support.written import write

from crossguard.data.row_formats import one_cell
from crossguard.data.writing import open_output
from crossguard.errors import OutputError
from crossguard.labels import HATE


def test_csv_is_flat(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["status"] for row in rows] == ["scored", "failed", "scored"]
    assert rows[2]["score_racist"] == "0.75"
    assert rows[2]["threshold_sexist"] == "0.5"
    assert rows[2]["flags"] == ";".join(HATE.names)
    assert (rows[1]["score_racist"], rows[1]["error_code"]) == ("", "image_not_found")


def test_a_list_of_a_users_own_column_is_one_cell() -> None:
    assert one_cell(["a", "b"]) == "a;b"
    assert one_cell([1, None, {"a": "\u00e9"}]) == '[1, null, {"a": "\u00e9"}]'


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
@pytest.mark.parametrize(
    "content", [b'{"id": "1", "text": "a post"}\n', b"id,text\n1,a\n", b"PAR1 no", b"x", b'{"id": 1}\n']
)
def test_resume_never_cuts_a_file_from_elsewhere(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(OutputError):
        list(open_output(path, HATE.names, resume=True).previous())
    assert path.read_bytes() == content


def test_csv_of_other_labels_is_not_continued(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    with pytest.raises(OutputError, match="Another model or another --keep"):
        list(open_output(tmp_path / "out.csv", ["spam"], resume=True).previous())


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
def test_damage_in_the_middle_is_told_not_cut(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    damaged = path.read_bytes().replace(b"failed", b"f\xff,led")
    path.write_bytes(damaged)
    with pytest.raises(OutputError, match="nothing was changed"):
        list(open_output(path, HATE.names, resume=True).previous())
    assert path.read_bytes() == damaged


def test_a_long_text_that_was_kept_in_csv_is_read_back(tmp_path: Path) -> None:
    before = csv.field_size_limit(131_072)  # as in a process that has read no CSV yet
    try:
        long = replace(decision("1"), input={"text": "a" * 131_073})
        write(tmp_path / "out.csv", [long], kept=("text",))
        with open_output(tmp_path / "out.csv", HATE.names, kept=("text",), resume=True) as output:
            assert [row.input for row in output.previous()] == [long.input]
    finally:
        csv.field_size_limit(before)
