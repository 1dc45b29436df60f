"""Export, in each format and from both engines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.support.pictures import data_url, encoded, halves
from tests.support.review import submission
from tests.unit.review.conftest import NOW, cast, decide_all, erase, take

from crossguard.data.tables import read_rows
from crossguard.errors import InputError, OutputError
from crossguard.evaluation.annotated import read_annotated
from crossguard.labels import HATE
from crossguard.review import export as exporting
from crossguard.review.console import Console
from crossguard.review.export import export
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person

PIXEL = data_url(encoded(halves(), "PNG"))


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_label_may_be_whether_a_post_is_hateful(
    console: Console, database: Database, ann: Person, tmp_path: Path, suffix: str
) -> None:
    console.intake.take([submission("1")], NOW)
    take(database, ann)
    cast(database, 1, ann, Ballot({"hateful": Answer.YES}, "block"))
    out = tmp_path / f"decided{suffix}"
    export(database, ("hateful", "spam"), out)
    (row,) = read_rows(out)
    assert float(row["hateful"]) == 1.0


def decide(database: Database, who: Person, items: int = 2) -> None:
    for item in range(1, items + 1):
        cast(database, item, who)


@pytest.mark.parametrize(
    ("engine", "suffix"), [("sqlite", ".jsonl"), ("sqlite", ".csv"), ("sqlite", ".parquet"), ("postgresql", ".parquet")]
)
def test_the_export_is_what_calibrate_reads(
    everything: ReviewSettings, database: Database, tmp_path: Path, suffix: str
) -> None:
    console = Console(everything, database)
    decide_all(console, posts=40)
    out = tmp_path / f"decided{suffix}"
    assert export(database, HATE.names, out).rows == 40
    annotated = read_annotated(out, HATE.names)
    assert len(annotated) == 40
    assert 10 < np.nansum(annotated.truth[:, 0]) < 25
    assert set(annotated.columns["split"]) <= {"train", "val", "test"}
    if suffix == ".csv":
        with out.open() as file:
            assert next(csv.DictReader(file))["votes"] == "1"


def test_what_a_table_has_no_place_for_is_counted(
    console: Console, database: Database, ann: Person, tmp_path: Path
) -> None:
    """A row has one image; the demo's posts are nobody's data."""
    console.intake.take([submission("1", images=(PIXEL,) * 3), submission("2", source="demo")], NOW)
    decide(database, ann)
    done = export(database, HATE.names, tmp_path / "out.jsonl")
    assert (done.rows, done.images, done.more_images) == (1, 1, 2)
    assert len(list((tmp_path / "out-images").iterdir())) == 1


def test_a_row_gets_no_id_that_the_source_sent(
    console: Console, database: Database, ann: Person, tmp_path: Path
) -> None:
    report = {"reporter": "r", "reason": ""}
    console.intake.take([submission("1#3"), submission("1"), submission("1", report=report)], NOW)
    decide(database, ann, 3)
    export(database, HATE.names, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == ["1#3", "1", "1#3#3"]


@pytest.fixture
def exported(console: Console, database: Database, ann: Person, tmp_path: Path) -> Path:
    """A table of two posts with an image each, of which the first is erased afterwards."""
    console.intake.take([submission("1", images=(PIXEL,), author="a"), submission("2", images=(PIXEL,))], NOW)
    decide(database, ann)
    out = tmp_path / "out.jsonl"
    export(database, HATE.names, out)
    (tmp_path / "out-images" / "mine.jpg").touch()
    erase(database, "a")
    return out


def files(beside: Path) -> list[str]:
    return sorted(str(file.relative_to(beside.parent)) for file in beside.parent.rglob("out*/*"))


def test_images_of_what_was_erased_go_with_the_next_export(database: Database, exported: Path) -> None:
    assert files(exported) == ["out-images/1.jpg", "out-images/2.jpg", "out-images/mine.jpg"]
    export(database, HATE.names, exported)
    assert files(exported) == ["out-images/2.jpg", "out-images/mine.jpg"]
    assert len(exported.read_text().splitlines()) == 1


def test_an_export_that_fails_leaves_the_earlier_one(
    database: Database, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = exported.read_text(), files(exported)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_split", full)
    with pytest.raises(OutputError, match=r"Cannot write '.*out.jsonl': No space left on device"):
        export(database, HATE.names, exported)
    assert (exported.read_text(), files(exported)) == before
    assert sorted(path.name for path in exported.parent.iterdir() if path.name.startswith(".")) == []


def test_a_full_disk_is_told_in_a_few_words_whatever_pyarrow_says_of_it(
    database: Database, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(OutputError, match=r"Cannot write '.*out.parquet': Error writing .* No space left on device\."):
        export(database, HATE.names, exported.with_suffix(".parquet"))


def test_what_lies_in_the_folder_of_images_and_is_not_of_the_earlier_table_stays(
    database: Database, exported: Path
) -> None:
    own = exported.parent / "out-images" / "7.jpg"
    own.write_bytes(b"a cat")
    export(database, HATE.names, exported)
    assert own.read_bytes() == b"a cat"
    other = exported.with_name("cats.jsonl")
    cat = exported.parent / "cats-images" / "2.jpg"
    cat.parent.mkdir()
    cat.write_bytes(b"a cat")
    with pytest.raises(OutputError, match=r"'.*cats-images/2.jpg' already exists, and not from an earlier export"):
        export(database, HATE.names, other)
    assert (cat.read_bytes(), other.exists()) == (b"a cat", False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_each_format_says_which_images_were_its_own(database: Database, exported: Path, suffix: str) -> None:
    """A table in another format may share the folder; what cannot be read is replaced, and names nothing."""
    out = exported.with_suffix(suffix)
    out.write_bytes(b"")
    export(database, HATE.names, out)
    assert files(exported) == ["out-images/1.jpg", "out-images/2.jpg", "out-images/mine.jpg"]
    with database.write() as tx:
        tx.exec_driver_sql("UPDATE images SET jpeg = NULL")
    export(database, HATE.names, out)
    assert files(exported) == ["out-images/1.jpg", "out-images/mine.jpg"]


def test_images_go_only_after_the_new_table_stands(
    database: Database, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(exported)
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if target.suffix == ".jsonl":
            assert exported.with_name("out-images").joinpath("2.jpg").exists()
            raise PermissionError(1, "Operation not permitted")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OutputError, match="Operation not permitted"):
        export(database, HATE.names, exported)
    assert files(exported) == before


def test_without_a_decision_nothing_is_written_unless_all_is_erased(
    console: Console, database: Database, ann: Person, tmp_path: Path
) -> None:
    """A table of what was erased must not stay; an empty one of another console must not take its place."""
    console.intake.take([submission("1", author="a", images=(PIXEL,)), submission("2")], NOW)
    out = tmp_path / "out.csv"
    with pytest.raises(InputError, match="Nothing was written: no item is decided"):
        export(database, HATE.names, out)
    assert list(tmp_path.glob("*out*")) == []
    assert take(database, ann) == 1
    cast(database, 1, ann)
    assert export(database, HATE.names, out).rows == 1
    erase(database, "a")
    done = export(database, HATE.names, out)
    assert (done.rows, done.erased, len(out.read_text().splitlines()), files(out)) == (0, 1, 1, [])


def test_a_folder_is_no_output(database: Database, exported: Path) -> None:
    folder = exported.with_name("folder.csv")
    folder.mkdir()
    with pytest.raises(OutputError, match=r"'.*folder.csv' must be a file that ends in one of .jsonl, .csv, .parquet"):
        export(database, HATE.names, folder)
    assert not exported.with_name("folder-images").exists()


def test_a_link_stays_one(database: Database, exported: Path) -> None:
    link = exported.with_name("link.jsonl")
    link.symlink_to(exported)
    export(database, HATE.names, link)
    assert link.is_symlink()
    assert len(exported.read_text().splitlines()) == 1
    assert files(exported) == ["out-images/2.jpg", "out-images/mine.jpg"]
