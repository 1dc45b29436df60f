"""Files of decisions: where they may be written, and what happens when they cannot."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.object_storage import s3_server, upload
from tests.support.tables import workbook
from tests.support.written import KEPT, ROWS, write

from crossguard.data.outputs import journal_of
from crossguard.data.writing import open_output, read_decisions, refuse_same_file
from crossguard.errors import OutputError, TableError
from crossguard.labels import HATE


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_what_is_there_is_not_lost_by_accident(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=r"--resume.*--overwrite"):
        open_output(path, HATE.names)
    assert path.read_bytes() == before
    write(path, ROWS[:1], overwrite=True)
    assert [row.id for row in read_decisions(path)] == ["1"]


def test_a_journal_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    journal_of(path).write_text("{}\n")
    with pytest.raises(OutputError, match=r"'.*out\.parquet\.journal' holds a run that is not finished\. Continue it"):
        open_output(path, HATE.names)
    open_output(path, HATE.names, resume=True)
    open_output(path, HATE.names, overwrite=True)


class TestPlace:
    def test_folder_and_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="is a folder"):
            open_output(tmp_path, HATE.names, format="jsonl")
        with pytest.raises(OutputError, match="mkdir -p"):
            open_output(tmp_path / "no" / "out.jsonl", HATE.names)

    def test_unknown_suffix(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="--format"):
            open_output(tmp_path / "out.doc", HATE.names)
        (tmp_path / "out.doc").touch()
        with pytest.raises(TableError, match="not a file of results"):
            list(read_decisions(tmp_path / "out.doc"))
        for name, told in (
            ("nothere", r"no such file or folder\. Write it with: crossguard score INPUT -o .*/nothere/$"),
            ("nothere.csv", r"no such file or folder\. Write it with: crossguard score INPUT -o .*/nothere\.csv$"),
            ("nothere.doc", "not a file of results"),
        ):
            with pytest.raises(TableError, match=told):
                list(read_decisions(tmp_path / name))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
    def test_a_pipe_is_no_file_of_results(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jsonl")
        with pytest.raises(TableError, match="no such file"):
            list(read_decisions(tmp_path / "pipe.jsonl"))

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


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet", "out.xlsx"])
def test_columns_of_the_input_are_kept_and_read_back(tmp_path: Path, name: str) -> None:
    write(path := tmp_path / name, KEPT, kept=("text", "likes"))
    rows = list(read_decisions(path))
    assert [(row.id, row.digest, {k: v for k, v in row.input.items() if v}) for row in rows] == [
        (row.id, row.digest, dict(row.input)) for row in KEPT
    ]
    assert [row.to_dict() | {"input": 0} for row in rows] == [row.to_dict() | {"input": 0} for row in KEPT]


def test_results_that_another_program_saved_are_read(tmp_path: Path) -> None:
    table, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    write(table)
    written = list(read_decisions(table))
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n"))  # as Excel does
    assert list(read_decisions(table)) == written
    write(lines)
    written = list(read_decisions(lines))
    whole = lines.read_bytes()
    lines.write_bytes(whole[:-1])  # as by "\n".join
    assert list(read_decisions(lines)) == written
    lines.write_bytes(whole[:-9])
    assert list(read_decisions(lines)) == written[:-1]


def rewritten(path: Path, change: Callable[[list[list[Any]]], None]) -> None:
    """Changes the rows of a table, as a person does."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            rows: list[list[Any]] = list(csv.reader(file))
        change(rows)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        rows = [table.column_names, *map(list, zip(*table.to_pydict().values(), strict=True))]
        change(rows)
        pq.write_table(pa.table(dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))), path)
    else:
        rows = [list(row) for row in openpyxl.load_workbook(path).active.values]
        change(rows)
        workbook(path, *rows)


@pytest.mark.parametrize("place", [0, 3, 99])
@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.xlsx"])
def test_a_column_that_a_person_added_is_passed_over_and_never_lost(tmp_path: Path, name: str, place: int) -> None:
    path = tmp_path / name
    write(path)
    written = list(read_decisions(path))

    def decide(rows: list[list[Any]]) -> None:
        for row, cell in zip(rows, ("my decision", "right", "", "wrong"), strict=True):
            row.insert(place, cell)

    rewritten(path, decide)
    content = path.read_bytes()
    assert list(read_decisions(path)) == written
    with pytest.raises(OutputError):
        list(open_output(path, HATE.names, resume=True).previous())
    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_empty_cells_that_excel_leaves_out_at_the_end_of_a_row_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(path)
    written, (header, *lines) = list(read_decisions(path)), path.read_text().splitlines()
    path.write_text("\n".join([f"{header},my decision", *lines, ""]))
    assert list(read_decisions(path)) == written
    for damaged in (lines[0].rpartition(",")[0], f"{lines[0]},right,,"):
        path.write_text(f"{header},my decision\n{damaged}\n")
        with pytest.raises(TableError, match="is not a result"):
            list(read_decisions(path))


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.xlsx"])
def test_a_column_that_a_person_deleted_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)

    def delete(rows: list[list[Any]]) -> None:
        place = rows[0].index("threshold_racist")
        for row in rows:
            del row[place]

    rewritten(tmp_path / name, delete)
    with pytest.raises(TableError, match="it lacks columns of results: threshold_racist") as told:
        list(read_decisions(tmp_path / name))
    assert "--overwrite" not in str(told.value)


def test_results_that_a_spreadsheet_saved_with_other_delimiters_are_told(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    (tmp_path / "out.csv").write_text((tmp_path / "out.csv").read_text().replace(",", ";"))
    with pytest.raises(TableError, match=r"';' stands between its columns, not a comma\. .* save it as \.xlsx"):
        list(read_decisions(tmp_path / "out.csv"))


@pytest.mark.parametrize(
    ("name", "content"), [("out.csv", b"caf\xe9,text\n1,2\n"), ("out.jsonl", b"[" * 200_000 + b"\n")]
)
def test_what_is_no_result_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match="Cannot read"):
        list(read_decisions(tmp_path / name))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="a name that the system refuses is one of no file")
def test_an_error_of_the_system_names_the_file_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / f"{'x' * 300}.jsonl"
    with pytest.raises(OSError, match="File name too long") as told:
        next(read_decisions(path))
    assert told.value.filename == str(path)


def test_a_storage_that_is_not_known_is_no_missing_folder() -> None:
    with pytest.raises(TableError, match=r"'s3a://bucket/job': storages are s3://, gs://"):
        list(read_decisions("s3a://bucket/job"))


def test_a_part_that_is_not_there_is_told_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    lines = [{"posts": 1}, {"part": "00000/part-0.jsonl", "posts": 1}]
    (tmp_path / "_manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with s3_server() as (address, _):
        upload(address.format("job"), tmp_path)
        with pytest.raises(TableError, match=r"names '00000/part-0\.jsonl', which is not there.*--resume"):
            list(read_decisions(address.format("job")))
    with pytest.raises(TableError, match=r"names '00000/part-0\.jsonl', which is not there.*--resume"):
        list(read_decisions(tmp_path))


def test_an_empty_manifest_is_no_job_without_posts(tmp_path: Path) -> None:
    (tmp_path / "_manifest.jsonl").touch()
    with pytest.raises(TableError, match=r"an empty _manifest\.jsonl"):
        list(read_decisions(tmp_path))


def test_a_home_that_the_shell_did_not_expand_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"There is no folder '~': the shell did not expand it"):
        open_output(Path("~/out.csv"), HATE.names)
