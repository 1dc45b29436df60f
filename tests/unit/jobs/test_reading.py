"""Posts of units: one for each row, also where a file is damaged or has changed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from tests.support.object_storage import s3_server, upload
from tests.support.tables import with_sheet, workbook
from tests.unit.jobs.conftest import png, write_parquet

from crossguard.data.columns import Columns
from crossguard.data.storage import Storage
from crossguard.errors import ChangedError
from crossguard.jobs.plan import cut_all
from crossguard.jobs.reading import UnitReader
from crossguard.jobs.sources import sources_of
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import Unit
from crossguard.records import Post


def read(
    path: Path, unit_posts: int = 4, *, confined: bool = False, damage: bytes = b"", image_root: str | None = None
) -> list[list[Post]]:
    """Plans a file, overwrites its end if wanted, and reads its units."""
    sources = sources_of([str(path)], unit_posts=unit_posts)
    units = [unit for _, found in cut_all(sources, Columns(), unit_posts) for unit in found]
    if damage:
        status = path.stat()
        with path.open("r+b") as file:
            file.seek(-len(damage), os.SEEK_END)
            file.write(damage)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    spec = JobSpec(inputs=(str(path),), output="", policy={}, image_root=image_root, confine_images=confined)
    reader = UnitReader(spec)
    return [list(reader.posts(unit)) for unit in units]


def test_units_hold_all_rows_in_order_under_their_own_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "".join(f"post {number}\n" for number in range(10)))
    units = read(path)
    assert [[post.text for post in unit] for unit in units] == [
        [f"post {number}" for number in numbers] for numbers in (range(4), range(4, 8), range(8, 10))
    ]
    assert [unit[0].id for unit in units] == ["line-2", "line-6", "line-10"]


def test_a_parquet_unit_reads_its_own_rows_of_a_group(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", 10, rows_per_group=10)
    units = read(tmp_path / "a.parquet")
    assert [post.id for unit in units for post in unit] == [f"c{number}" for number in range(10)]
    assert len(units) > 1


def test_words_under_another_name_are_told_for_a_unit_of_images(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image_path,Kommentar\n" + "a.png,what they said\n" * 2)
    (source,) = sources_of([str(path)], unit_posts=4)
    reader = UnitReader(JobSpec(inputs=(str(path),), output="", policy={}))
    for _, units in cut_all([source], Columns(), 4):
        assert [len(list(reader.posts(unit))) for unit in units] == [2]
    assert [note.split("'")[1] for note in reader.notes] == ["Kommentar"]


def test_rows_that_damage_took_are_failed_posts_in_their_places(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"text": "%d"}\n' % number for number in range(5000)), mtime=0))
    ((*whole, lost),) = read(path, damage=b"\0" * 40)
    assert all(post.error is None for post in whole)
    assert lost.id == "a.jsonl.gz#rest"
    assert lost.error is not None
    assert lost.error.code == "rows_unreadable"
    assert f"All posts behind the first {len(whole):,} are lost" in lost.error.message


def test_a_file_that_changed_since_it_was_planned_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n')
    place = Storage(str(path))
    entry = place.entry(place.path)
    assert entry is not None
    path.write_text('{"text": "another one"}\n')
    reader = UnitReader(JobSpec(inputs=(str(path),), output="", policy={}))
    with pytest.raises(ChangedError, match="changed since the input was planned"):
        list(reader.posts(Unit(entry, "jsonl", rows=1)))


def test_images_beside_a_table_are_found_and_may_be_confined_to_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(png((8, 8)))
    (folder / "a.csv").write_text("image_path\na.png\n../outside.png\n")
    ((inside, outside),) = read(folder / "a.csv")
    assert (inside.image, outside.error) == (str(folder / "a.png"), None)
    ((_, outside),) = read(folder / "a.csv", confined=True)
    assert outside.error is not None
    assert outside.error.code == "image_outside_root"


def test_images_beside_a_table_in_a_storage_may_be_named_with_dots(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("image_path\nsub/../a b.png\n../a b.png\n")
    (tmp_path / "a b.png").write_bytes(png((8, 8)))
    with s3_server() as (address, _):
        upload(address.format("dots"), tmp_path)
        table = address.format("dots/in.csv")
        (source,) = sources_of([table])
        ((_, (unit,)),) = cut_all([source], Columns(), 4)
        inside, outside = UnitReader(JobSpec(inputs=(table,), output="", policy={})).posts(unit)
    assert (inside.image, inside.error) == (png((8, 8)), None)
    assert outside.error is not None
    assert outside.error.code == "image_outside_root"


def test_a_folder_of_images_is_a_post_for_each(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.png"):
        (tmp_path / name).write_bytes(png((8, 8)))
    ((first, second),) = read(tmp_path)
    assert (first.id, first.image) == ("b.png", str(tmp_path / "b.png"))
    assert second.id == "deep/a.png"


@pytest.mark.parametrize("root", ["{}/other", "s3://bucket/other"])
def test_images_of_a_folder_are_in_it_wherever_those_of_tables_are(tmp_path: Path, root: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png((8, 8)))
    ((post,),) = read(tmp_path / "in", image_root=root.format(tmp_path))
    assert (post.id, post.image) == ("a.png", str(tmp_path / "in" / "a.png"))


def test_a_file_that_nothing_can_read_is_one_failed_post(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    ((post,),) = read(tmp_path / "a.parquet")
    assert post.id == str(tmp_path / "a.parquet")
    assert post.error is not None
    assert post.error.code == "file_unreadable"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xlsx", "'{}' cannot be read as Excel: File is not a zip file."),
        ("a.jsonl.gz", "'{}' cannot be read: Not a gzipped file (b'no')."),
    ],
)
def test_a_file_of_which_nothing_was_read_is_one_failed_post(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"no table")
    ((post,),) = read(tmp_path / name)
    assert post.id == str(tmp_path / name)
    assert post.error is not None
    assert (post.error.code, post.error.message) == ("file_unreadable", message.format(tmp_path / name))


def test_a_workbook_damaged_in_the_middle_costs_the_rows_behind_alone(tmp_path: Path) -> None:
    path = workbook(tmp_path / "cut.xlsx", ["text"], *([f"post {number}"] for number in range(200)))
    ((*found, lost),) = read(with_sheet(path, lambda sheet: sheet[: len(sheet) // 2]))
    assert [post.text for post in found] == [f"post {number}" for number in range(len(found))]
    assert len(found) > 50
    assert lost.error is not None
    assert lost.error.code == "rows_unreadable"
    assert "is damaged after row" in lost.error.message


def test_links_that_lead_nowhere_and_pipes_are_failed_posts(tmp_path: Path) -> None:
    for name in ("tables", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "tables" / "a.csv").write_text("text\nhello\n")
    (tmp_path / "tables" / "b.parquet").symlink_to("gone")
    os.mkfifo(tmp_path / "tables" / "c.jsonl")
    ((good,), *bad) = read(tmp_path / "tables")
    assert good.text == "hello"
    errors = [post.error for (post,) in bad if post.error]
    assert [error.code for error in errors] == ["file_unreadable"] * 2
    assert "is a link to 'gone'" in errors[0].message
    assert "is a pipe" in errors[1].message
    (tmp_path / "images" / "a.png").symlink_to("gone")
    ((post,),) = read(tmp_path / "images")
    assert post.image == str(tmp_path / "images" / "a.png"), "whoever decodes it finds none"
