"""Files of decisions: where they may be written, and what happens when they cannot."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.decisions import decision, failed
from tests.support.written import write

from crossguard.data.writing import open_output, read_decisions, refuse_same_file
from crossguard.errors import MissingExtraError, OutputError
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


def test_parquet_has_types(tmp_path: Path) -> None:
    write(tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("score_religion").type) == "double"
    assert table["flags"].to_pylist() == [[], [], list(HATE.names)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_parquet_without_pyarrow_fails_before_scoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"crossguard\[parquet\]"):
        open_output(tmp_path / "out.parquet", HATE.names)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_what_is_there_is_not_lost_by_accident(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"--resume.*--overwrite"):
        open_output(path, HATE.names)
    assert path.read_bytes() == before
    write(path, 1, overwrite=True)
    assert [row.id for row in read_decisions(path)] == ["1"]


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
    with pytest.raises(OutputError, match="header"):
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


class TestPlace:
    def test_folder_and_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="is a folder"):
            open_output(tmp_path, HATE.names, format="jsonl")
        with pytest.raises(OutputError, match="mkdir -p"):
            open_output(tmp_path / "no" / "out.jsonl", HATE.names)

    def test_unknown_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="--format"):
            open_output(tmp_path / "out.doc", HATE.names)
        with pytest.raises(OutputError, match="not a file of results"):
            list(read_decisions(tmp_path / "out.doc"))

    def test_output_equal_to_input(self, tmp_path: Path) -> None:
        source = tmp_path / "in.jsonl"
        source.write_text("{}")
        (tmp_path / "soft.jsonl").symlink_to(source)
        (tmp_path / "hard.jsonl").hardlink_to(source)
        for target in (source, tmp_path / "soft.jsonl", tmp_path / "hard.jsonl", tmp_path / "x" / ".." / "in.jsonl"):
            (tmp_path / "x").mkdir(exist_ok=True)
            with pytest.raises(OutputError, match="input itself"):
                refuse_same_file(source, target)
        refuse_same_file(source, tmp_path / "out.jsonl")

    def test_not_writable(self) -> None:
        output = open_output(Path("/proc/out.jsonl"), HATE.names)
        with pytest.raises(OutputError, match=r"Cannot write '/proc/out\.jsonl'"):
            output.start()


KEPT = [
    replace(decision("123456789012345678"), digest="ab", input={"text": "=1+1", "likes": "3"}),
    replace(failed("2"), input={"text": 'a "b",\nc'}),
]


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet", "out.xlsx"])
def test_columns_of_the_input_are_kept_and_read_back(tmp_path: Path, name: str) -> None:
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl", reason="needs crossguard[excel]")
    path = tmp_path / name
    with open_output(path, HATE.names, kept=("text", "likes")) as output:
        output.start()
        for row in KEPT:
            output.write(row)
        output.finish()
    rows = list(read_decisions(path))
    assert [(row.id, row.digest, {k: v for k, v in row.input.items() if v}) for row in rows] == [
        (row.id, row.digest, dict(row.input)) for row in KEPT
    ]
    assert [row.to_dict() | {"input": 0} for row in rows] == [row.to_dict() | {"input": 0} for row in KEPT]


def test_excel_gets_ids_and_texts_as_text(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="needs crossguard[excel]")
    with open_output(tmp_path / "out.xlsx", HATE.names, kept=("text",)) as output:
        output.start()
        output.write(KEPT[0])
        output.finish()
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    cells = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (cells["id"].value, cells["id"].data_type) == ("123456789012345678", "s")
    assert (cells["input_text"].value, cells["input_text"].data_type) == ("=1+1", "s")
    assert cells["score_racist"].value == 0.25


def test_a_page_is_written_and_not_read_back(tmp_path: Path) -> None:
    write(tmp_path / "out.html")
    assert "not a result" not in (tmp_path / "out.html").read_text()
    with pytest.raises(OutputError, match="not a file of results"):
        list(read_decisions(tmp_path / "out.html"))
    with pytest.raises(OutputError, match="cannot be continued"):
        list(open_output(tmp_path / "out.html", HATE.names, resume=True).previous())
