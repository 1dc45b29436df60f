"""Decisions as Parquet, Excel and pages."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from tests.support.decisions import decision
from tests.support.written import KEPT, write

from crossguard.data import whole_files
from crossguard.data.outputs import journal_of
from crossguard.data.writing import open_output, read_decisions
from crossguard.errors import MissingExtraError, OutputError, TableError
from crossguard.labels import HATE


def test_parquet_has_types(tmp_path: Path) -> None:
    write(tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("score_religion").type) == "double"
    assert table["flags"].to_pylist() == [[], [], list(HATE.names)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_parquet_without_pyarrow_fails_before_scoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(MissingExtraError, match=r"crossguard\[parquet\]"):
        open_output(tmp_path / "out.parquet", HATE.names)


def test_excel_gets_ids_and_texts_as_text(tmp_path: Path) -> None:
    write(tmp_path / "out.xlsx", KEPT[:1], kept=("text",))
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    cells = {head.value: cell for head, cell in zip(sheet[1], sheet[2], strict=True)}
    assert (cells["id"].value, cells["id"].data_type) == ("123456789012345678", "s")
    assert (cells["input_text"].value, cells["input_text"].data_type) == ("=1+1", "s")
    assert cells["score_racist"].value == 0.25


def test_excel_needs_room_only_beside_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    write(path := tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(whole_files, "EXCEL_ROWS", 2)
    with pytest.raises(OutputError, match="A sheet holds 2 rows"):
        write(path, overwrite=True)
    assert sorted(tmp_path.iterdir()) == [path, journal_of(path)]


def test_excel_tells_of_a_full_disk_also_where_lxml_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has an error of its own for files that it opened itself."""
    xmlfile = openpyxl.worksheet._writer.xmlfile

    @contextmanager
    def as_lxml(out: Any) -> Iterator[Any]:
        try:
            with xmlfile(out) as file:
                yield file
        except OSError as error:
            raise RuntimeError("unknown error") if isinstance(out, str) else error from None

    monkeypatch.setattr("openpyxl.worksheet._writer.xmlfile", as_lxml)
    path = tmp_path / "out.xlsx"
    (tmp_path / ".out.xlsx.unfinished.rows").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left on device"):
        write(path)
    assert list(tmp_path.iterdir()) == [journal_of(path)]


@pytest.mark.parametrize(("number", "kind"), [(123456789012345678, "s"), (-(10**400), "s"), (999999999999999, "n")])
def test_excel_gets_numbers_that_it_would_round_as_text(tmp_path: Path, number: int, kind: str) -> None:
    write(tmp_path / "out.xlsx", [replace(decision("1"), input={"author": number})], kept=("author",))
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    (cell,) = (below for head, below in zip(sheet[1], sheet[2], strict=True) if head.value == "input_author")
    assert (str(cell.value), cell.data_type) == (str(number), kind)


@pytest.mark.parametrize("sign", ["\x01", "\ufffe", "\uffff"])
def test_excel_gets_a_workbook_that_opens_whatever_characters_names_and_texts_hold(tmp_path: Path, sign: str) -> None:
    post = replace(decision("1"), input={f"na{sign}me": f"a{sign}\ufffd\t\U0001ffff"})
    write(tmp_path / "out.xlsx", [post], kept=tuple(post.input))
    assert [row.input for row in read_decisions(tmp_path / "out.xlsx")] == [{"name": "a\ufffd\t\U0001ffff"}]


@pytest.mark.parametrize("name", ["out.parquet", "out.xlsx"])
def test_a_damaged_file_is_told_wherever_the_damage_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), len(whole) // 16):
        path.write_bytes(whole[:at] + bytes(byte ^ 0x5A for byte in whole[at : at + 20]) + whole[at + 20 :])
        with suppress(TableError):  # nothing else, whatever the library raises
            list(read_decisions(path))


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.xlsx"])
def test_an_object_of_a_users_own_column_is_one_cell_of_json(tmp_path: Path, name: str) -> None:
    user = {"name": "\u00e9", "age": 1, "height": float("nan"), "pets": [{}, True]}
    post = replace(decision("1"), input={"user": user, "none": {}, "numbers": [float("inf"), 1.5], "age": 7})
    write(tmp_path / name, [post], kept=tuple(post.input))
    (read,) = read_decisions(tmp_path / name)
    assert read.input["user"] == '{"name": "\u00e9", "age": 1, "height": null, "pets": [{}, true]}'
    assert (read.input["none"], read.input["numbers"], str(read.input["age"])) == ("{}", "[null, 1.5]", "7")


def test_a_page_is_written_and_not_read_back(tmp_path: Path) -> None:
    write(tmp_path / "out.html")
    assert "not a result" not in (tmp_path / "out.html").read_text()
    with pytest.raises(TableError, match="not a file of results"):
        list(read_decisions(tmp_path / "out.html"))
    with pytest.raises(OutputError, match="cannot be continued"):
        list(open_output(tmp_path / "out.html", HATE.names, resume=True).previous())
