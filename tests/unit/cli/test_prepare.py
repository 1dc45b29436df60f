"""`crossguard prepare`, as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossguard.cli import run
from crossguard.data.datasets.registry import DATASETS

pytest.importorskip("torch", reason="training tables belong to crossguard[train]")

CSV = "id,text,split,spam\na,hello,train,1\nb,bye,val,0\n"


def test_prepare_prints_a_report_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    assert run(["prepare", "table", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "t.parquet")]) == 0
    assert "spam" in capsys.readouterr().out
    assert json.loads((tmp_path / "t.report.json").read_text())["posts"] == {"train": 1, "val": 1}
    again = ["prepare", "table", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "t.parquet"), "--json"]
    assert run(again) == 7
    assert "Replace it with --overwrite" in capsys.readouterr().err
    (tmp_path / "t.parquet").unlink()
    assert run(again) == 7, "its report is still here"
    assert run([*again, "--overwrite"]) == 0
    assert json.loads(capsys.readouterr().out)["known"] == {"train": {"spam": 1}, "val": {"spam": 1}}


def test_prepare_names_the_known_datasets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "mmhs", str(tmp_path), "-o", str(tmp_path / "t.parquet")]) == 5
    assert "mmhs150k" in capsys.readouterr().err


def test_an_unknown_dataset_is_told_before_a_missing_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "mmhs", "no-such-folder", "-o", "t.parquet"]) == 5
    assert "Unknown dataset 'mmhs'" in capsys.readouterr().err


def test_ids_and_labels_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "id,text,split,[red]\na[/b],hello,train,1\na[/b],bye,val,0\n"
    (tmp_path / "mine.csv").write_text(rows)
    assert run(["prepare", "table", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "t.parquet")]) == 0
    told = capsys.readouterr().out
    assert "[red]" in told
    assert "a[/b]" in told


def test_a_folder_is_no_table_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    assert run(["prepare", "table", str(tmp_path / "mine.csv"), "-o", str(tmp_path)]) == 2
    assert "table.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("s3://bucket/deep/t.parquet", "-o t.parquet"),
        ("t.csv", "-o t.parquet"),
        ("t", "-o t.parquet"),
    ],
)
def test_only_parquet_files_of_this_machine_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text(CSV)
    assert run(["prepare", "table", "mine.csv", "-o", out]) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]
    assert run(["prepare", "table", "mine.csv", "-o", "t.PQ"]) == 0


def test_a_table_is_not_written_among_those_that_it_is_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine.csv").write_text(CSV)
    command = ["prepare", "table", str(tmp_path / "raw"), "--label", "spam", "-o"]
    assert run([*command, str(tmp_path / "raw" / "deep" / "all.parquet")]) == 2
    assert f"-o {tmp_path / 'all.parquet'}" in capsys.readouterr().err
    assert run([*command, str(tmp_path / "all.parquet")]) == 0


def test_a_folder_that_takes_no_file_is_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text("no table")
    assert run(["prepare", "table", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "mine.csv" / "t.parquet")]) == 7
    assert "Cannot write" in capsys.readouterr().err


def test_help_names_every_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prepare", "--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in DATASETS if name not in told] == []


def test_prepare_never_writes_over_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.parquet"
    table.write_bytes(b"PAR1")
    assert run(["prepare", "table", str(table), "-o", str(table)]) == 7
    assert (
        f"is the input itself. Choose another file: -o {tmp_path / 'mine-prepared.parquet'}" in capsys.readouterr().err
    )
    assert table.read_bytes() == b"PAR1"
