"""The folder of a job: what a listing of it says, and when its manifest is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossguard.data.storage import Entry, Storage
from crossguard.errors import OutputError
from crossguard.jobs.parts import MANIFEST, finished, part_name, read_json, write_json, write_manifest
from crossguard.jobs.units import UNITS_PER_FOLDER, Part, Unit

JOB = "9f86d081"


def units(*rows: int | None) -> list[Unit]:
    return [Unit(Entry(f"in/{place}", 9, 0), "jsonl", index=place, rows=count) for place, count in enumerate(rows)]


def put(folder: Path, part: Part, job: str = JOB) -> str:
    name = part_name(part, job, "jsonl")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * part.posts, encoding="utf-8")
    return name


def test_a_name_holds_unit_job_rows_failed_and_those_that_wait() -> None:
    assert part_name(Part(3, 10, 0), JOB, "csv") == f"00000/part-00000003-{JOB}-10-0.csv"
    later = Part(UNITS_PER_FOLDER, 10, 3, later=2)
    assert part_name(later, JOB, "jsonl") == f"00001/part-00001000-{JOB}-10-3-2.jsonl"


def test_a_listing_tells_which_units_are_done(tmp_path: Path) -> None:
    name = put(tmp_path, Part(1, 10, 3, later=2))
    put(tmp_path, Part(0, 10, 0), job="00000000")
    (tmp_path / "00000" / "notes.txt").write_text("of somebody", encoding="utf-8")
    found = [part for _, part in finished(Storage(str(tmp_path)), units(10, 10), JOB)]
    assert found == [None, Part(1, 10, 3, later=2, name=name, size=10)], "another job's part is not this one's"


def test_of_two_parts_of_one_unit_the_one_with_fewer_failed_counts(tmp_path: Path) -> None:
    """A crash between the put of a repeated part and the removal of the earlier one leaves both."""
    for part in (Part(0, 10, 4, later=4), Part(0, 10, 1, later=1), Part(0, 10, 2)):
        put(tmp_path, part)
    ((_, found),) = finished(Storage(str(tmp_path)), units(10), JOB)
    assert found is not None
    assert (found.failed, found.later) == (1, 1)


def test_a_part_with_other_rows_than_planned_is_never_taken(tmp_path: Path) -> None:
    put(tmp_path, Part(0, 9, 0))
    with pytest.raises(OutputError, match="should have 10 rows"):
        list(finished(Storage(str(tmp_path)), units(10), JOB))
    ((_, found),) = finished(Storage(str(tmp_path)), units(None), JOB)
    assert found is not None, "a unit that did not know its rows takes any"


def test_the_manifest_is_written_when_all_parts_are_there_and_adds_up(tmp_path: Path) -> None:
    place, plan = Storage(str(tmp_path)), units(10, UNITS_PER_FOLDER, 5)
    put(tmp_path, Part(0, 10, 2, later=1))
    put(tmp_path, Part(2, 5, 0))
    assert write_manifest(place, plan, {"model": "m"}, JOB) is None
    assert not (tmp_path / MANIFEST).exists()
    put(tmp_path, Part(1, UNITS_PER_FOLDER, 0))
    totals = write_manifest(place, plan, {"model": "m"}, JOB)
    assert totals is not None
    assert (totals.index, totals.posts, totals.failed, totals.later) == (3, 1015, 2, 1)
    first, *parts = [json.loads(line) for line in (tmp_path / MANIFEST).read_text(encoding="utf-8").splitlines()]
    assert first == {
        "job": JOB, "parts": 3, "posts": 1015, "scored": 1013, "failed": 2, "bytes": 1015, "identity": {"model": "m"},
    }  # fmt: skip
    assert [(part["posts"], part["input"]) for part in parts] == [(10, "in/0"), (1000, "in/1"), (5, "in/2")]


def test_small_files_come_back_and_may_be_absent(tmp_path: Path) -> None:
    place = Storage(str(tmp_path / "out"))
    assert read_json(place, "_job/job.json") is None
    write_json(place, "_job/job.json", {"identity": {"model": "été"}})
    assert read_json(place, "_job/job.json") == {"identity": {"model": "été"}}
