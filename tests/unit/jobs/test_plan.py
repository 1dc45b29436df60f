from __future__ import annotations

import gzip
import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.tables import packed
from tests.unit.jobs.conftest import png, write_jsonl, write_parquet

from crossguard.data.columns import Columns
from crossguard.data.tables import PostReader
from crossguard.jobs.plan import cut_all, plan_line, read_plan
from crossguard.jobs.reading import UnitReader
from crossguard.jobs.sources import sources_of
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import Unit
from crossguard.records import Post


def plan(*inputs: Path | str, unit_posts: int = 10) -> list[Unit]:
    sources = sources_of([str(path) for path in inputs], unit_posts=unit_posts)
    return [unit for _, units in cut_all(sources, Columns(), unit_posts) for unit in units]


def read(units: list[Unit], *inputs: Path | str) -> list[Post]:
    reader = UnitReader(JobSpec(inputs=tuple(map(str, inputs)), output="", policy={}))
    return [post for unit in units for post in reader.posts(unit)]


def test_small_row_groups_are_joined_and_large_ones_divided(tmp_path: Path) -> None:
    small = plan(write_parquet(tmp_path / "small.parquet", 40, rows_per_group=4))
    assert [(unit.groups, unit.rows) for unit in small] == [((start, start + 2), 8) for start in range(0, 10, 2)]
    large = plan(write_parquet(tmp_path / "large.parquet", 40, rows_per_group=40))
    assert [(unit.groups, unit.skip, unit.rows) for unit in large] == [((0, 1), skip, 10) for skip in (0, 10, 20, 30)]


@pytest.mark.parametrize("rows_per_group", [3, 10, 37, 100])
def test_units_of_parquet_are_its_posts(tmp_path: Path, rows_per_group: int) -> None:
    path = write_parquet(tmp_path / "in.parquet", 100, rows_per_group=rows_per_group)
    units = plan(path)
    assert len(units) > 5
    assert read(units, path) == list(PostReader(path))


def write_dataset(folder: Path, batches: list[int], *, stream: bool = True) -> list[Post]:
    """Writes what `Dataset.save_to_disk` does, with so many rows in each record batch; returns its posts."""
    folder.mkdir()
    schema = pa.schema({"text": pa.string(), "image": pa.struct({"bytes": pa.binary(), "path": pa.string()})})
    total = sum(batches)
    columns = [[f"text {row}" for row in range(total)], [{"bytes": b"%d" % row, "path": None} for row in range(total)]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    open_file = pa.ipc.new_stream if stream else pa.ipc.new_file
    with open_file(folder / "data-00000-of-00001.arrow", schema) as writer:
        for place, rows in enumerate(batches):
            writer.write_batch(pa.record_batch(arrays, schema).slice(sum(batches[:place]), rows))
    (folder / "state.json").write_text('{"_data_files": []}')
    (folder / "dataset_info.json").write_text('{"features": {}}')
    (folder / "cache-1a2b.arrow").write_bytes(b"of another run")
    return [Post(f"row-{row + 1}", f"text {row}", b"%d" % row) for row in range(total)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("batches", [[10], [4, 4, 4, 4, 4], [25, 3], [3, 0, 9]])
def test_units_of_a_saved_dataset_are_its_posts(tmp_path: Path, batches: list[int], stream: bool) -> None:
    expected = write_dataset(tmp_path / "data", batches, stream=stream)
    units = plan(tmp_path / "data")
    assert sum(unit.rows or 0 for unit in units) == len(expected)
    assert len(units) == {1: 1, 5: 3, 2: 2, 3: 2}[len(batches)]
    assert read(units, tmp_path / "data") == expected
    assert read(units[-1:], tmp_path / "data") == expected[units[-1].first - 1 :]


def test_a_saved_dataset_without_rows_has_no_units(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", [])
    assert plan(tmp_path / "data") == []


def test_a_saved_dataset_that_cannot_be_read_is_on_record(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", [4, 4])
    path = tmp_path / "data" / "data-00000-of-00001.arrow"
    content = path.read_bytes()
    path.write_bytes(b"rubbish that is no Arrow")
    assert "cannot be read as Arrow" in plan(tmp_path / "data")[0].problem
    path.write_bytes(content[:-200])  # cut in the last batch
    *whole, last = read(plan(tmp_path / "data", unit_posts=4), tmp_path / "data")
    assert [post.error for post in whole[:4]] == [None] * 4
    assert last.error is not None
    assert last.error.code == "rows_unreadable"
    with pa.ipc.new_stream(path, pa.schema({"a": pa.int32()})) as writer:
        writer.write_table(pa.table({"a": pa.array([1], pa.int32())}))
    assert "none of the columns text" in plan(tmp_path / "data")[0].problem


def test_units_of_lines_are_its_posts_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    lines = [b'\xef\xbb\xbf{"text": "first"}', b"", b"{broken", b'{"text": "\xff"}', b"\xe3\x80\x80", b'{"other": 1}']
    path.write_bytes(b"\n".join(lines * 9))
    units = plan(path, unit_posts=4)
    assert len(units) > 5
    assert read(units, path) == list(PostReader(path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", '"",', 'x,"y\ny"\n', "1,2\n", "é"]), max_size=60))
@example(body=['x,"y\ny"\n', '"', "\n", 'x,"y\ny"\n'])
def test_a_delimited_file_is_cut_only_between_rows(tmp_path: Path, body: list[str]) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(("id,text\n" + "".join(body)).encode())
    assert read(plan(path, unit_posts=2), path) == list(PostReader(path))


@pytest.mark.parametrize(("gz", "zst"), [(".gz", ".zst"), (".GZ", ".ZST")])
def test_packed_files_are_units_of_their_own(tmp_path: Path, gz: str, zst: str) -> None:
    text = write_jsonl(tmp_path / "in.jsonl", 30).read_bytes()
    packed = tmp_path / f"a.jsonl{gz}"
    packed.write_bytes(gzip.compress(text))
    other = tmp_path / f"b.jsonl{zst}"
    other.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    units = plan(packed, other)
    assert [unit.rows for unit in units] == [None, None]
    expected = list(PostReader(tmp_path / "in.jsonl"))
    assert read(units, packed, other) == expected * 2


def test_a_tar_file_groups_members_by_name(tmp_path: Path) -> None:
    path = tmp_path / "in.tar"
    members = {
        "s/1.png": png((8, 8)),
        "s/1.txt": b"hello",
        "s/2.json": b'{"id": "two", "text": "b"}',
        "s/3.cls": b"0",
    }
    path.write_bytes(packed(members))
    posts = read(plan(path), path)
    assert [(post.id, post.text, post.image is not None) for post in posts] == [
        ("s/1", "hello", True),
        ("two", "b", False),
    ]


def test_a_file_that_cannot_be_read_leaves_a_failed_post(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "a.jsonl", 8)
    bad = tmp_path / "b.parquet"
    bad.write_bytes(b"PAR1 and nothing else")
    (_, unit) = plan(good, bad)
    (post,) = read([unit], good, bad)
    assert post.error is not None
    assert (post.error.code, post.id) == ("file_unreadable", str(bad))
    assert "cannot be read as Parquet" in post.error.message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.jsonl.gz", "a.parquet", "a.tar", "a.txt", "a.xlsx"])
def test_a_file_of_no_bytes_is_one_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert plan(tmp_path) == plan(tmp_path / name)
    (unit,) = plan(tmp_path)
    assert (unit.kind, unit.problem) == ("unreadable", f"'{tmp_path / name}' is empty (0 bytes).")


@pytest.mark.parametrize(
    "text",
    [
        '[{"text": "a"}]\n[{"text": "b"}]\n',
        '[{"text": "a"}]{"text": "b"}\n',
        'broken\n[{"text": "a"},\n{"text": "b"}]\n',
        '{"text": "a"}\n[{"text": "b"}]\n',
        '\n[{"text": "a"},\n{"text": "b"}]',
    ],
)
def test_a_job_reads_of_arrays_what_one_file_gives(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(text)
    assert read(plan(path, unit_posts=1), path) == list(PostReader(path))


def test_a_plan_survives_its_file(folder: Path) -> None:
    sources = sources_of([str(folder)], unit_posts=7)
    made = [(source, units) for source, units in cut_all(sources, Columns(), 7)]
    lines = BytesIO(b"".join(plan_line(source, units) for source, units in made))
    again = [unit for _, _, units in read_plan(lines) for unit in units]
    assert [unit.index for unit in again] == list(range(len(again)))
    assert [post.id for post in read(again, folder)] == [post.id for _, units in made for post in read(units, folder)]


def test_a_plan_does_not_write_what_has_its_default(folder: Path) -> None:
    source = next(sources_of([str(folder)]))
    line = json.loads(plan_line(source, [Unit(source.entry, "jsonl"), Unit(source.entry, "jsonl", rows=0)]))
    assert line["units"] == [{"kind": "jsonl"}, {"kind": "jsonl", "rows": 0}]


def test_damaged_rows_are_told_one_by_one(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "in.parquet", 30, rows_per_group=10)
    content = path.read_bytes()
    at = content.index(b"awful people 11 of 30")
    path.write_bytes(content[: at - 60] + b"\xff" * 60 + content[at:])
    posts = read(plan(path), path)
    assert len(posts) == 30
    lost = [post for post in posts if post.error is not None]
    assert [post.id for post in lost] == [f"row-{number}" for number in range(11, 21)]
    assert {post.error.code for post in lost if post.error} == {"rows_unreadable"}


def test_a_packed_file_that_was_cut_says_what_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(write_jsonl(tmp_path / "in.jsonl", 3000).read_bytes())[:-200])
    posts = read(plan(path), path)
    assert 500 < len(posts) < 3000
    assert posts[-1].error is not None
    assert f"behind the first {len(posts) - 1:,} are lost" in posts[-1].error.message
