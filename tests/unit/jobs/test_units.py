"""Units and tasks as plain values, and back."""

from __future__ import annotations

import json

import pytest

from crossguard.data.storage import Entry
from crossguard.jobs.units import TASK, UNIT, Part, Shard, Task, Unit

ENTRY = Entry("in/a.csv", 1000, 7)


@pytest.mark.parametrize(
    "unit",
    [
        Unit(ENTRY, "jsonl"),
        Unit(ENTRY, "csv", input=1, index=3, first=12, rows=10, ranges=((0, 20), (200, 300))),
        Unit(ENTRY, "parquet", first=21, rows=5, groups=(2, 4), skip=3),
        Unit(ENTRY, "images", rows=2, names=("a.png", "b/c.png")),
        Unit(ENTRY, "unreadable", rows=1, problem="cut off", previous="00000/part-1"),
    ],
)
def test_a_unit_comes_back_from_json(unit: Unit) -> None:
    assert UNIT.validate_python(json.loads(json.dumps(UNIT.dump_python(unit, exclude_defaults=True)))) == unit


def test_a_unit_stands_for_its_stretch_of_the_file_without_the_header() -> None:
    assert Unit(ENTRY, "csv", ranges=((0, 20), (200, 300))).size == 100
    assert Unit(ENTRY, "xlsx").size == 1000


def test_a_task_comes_back_from_json() -> None:
    task = Task(Unit(ENTRY, "jsonl", index=2), 5, 9, {7: "ended each time"}, write=False)
    assert TASK.validate_python(json.loads(json.dumps(TASK.dump_python(task, exclude_defaults=True)))) == task


def test_a_part_that_repeats_some_posts_tells_how_many_it_went_through() -> None:
    counts = {"action": {"allow": 2, "block": 1}, "flag": {"racist": 1}, "error": {"image_not_found": 1}}
    assert Part(0, posts=100, failed=1, counts=counts).done == 4
    assert Part(0, posts=100, failed=1).done == 0


def test_shards_share_out_the_units() -> None:
    units = [Unit(ENTRY, "jsonl", index=index) for index in range(7)]
    assert all(map(Shard().has, units))
    shares = [[unit.index for unit in filter(Shard(index, 3).has, units)] for index in range(3)]
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]
