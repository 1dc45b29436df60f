"""What a job refuses before it begins, and what it says when it is continued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.conftest import write_jsonl

from crossguard.bundle import Bundle
from crossguard.data.columns import Columns
from crossguard.errors import ConfigError, OutputError, TableError
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.parts import PLAN
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import Shard


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    above = tmp_path / "in"
    above.mkdir()
    for name in ("b.jsonl", "d.jsonl"):
        write_jsonl(above / name, 20)
    return above


def opened(folder: Path, tiny_bundle: Bundle, **how: Any) -> ScoringJob:
    settings: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10} | how
    return ScoringJob.open(folder, folder.parent / "out", **settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"unit_posts": 0}, "'unit_posts': .* greater than or equal to 1"),
        ({"pixel": "fast"}, "Did you mean 'pixels'"),
        ({"output": "elsewhere"}, "Unknown setting 'output'"),
        ({"format": "xlsx"}, "'format': .*'jsonl', 'csv' or 'parquet'"),
        ({"input_format": "xml"}, "'input_format': .*'parquet', 'arrow', .* or 'folder'"),
        ({"fetch_origins": "https://media.example"}, "'fetch_origins': is a list"),
        ({"batch_size": 0}, "'batch_size': .* greater than or equal to 1"),
        ({"ocr": "often"}, "'ocr': .* valid boolean"),
        ({"columns": {"txt": "body"}}, "'columns.txt': Unexpected keyword"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_written(
    folder: Path, tiny_bundle: Bundle, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        opened(folder, tiny_bundle, **settings)
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize("address", ["s3a://bucket/decisions/", "az://box/decisions"])
def test_an_unknown_storage_is_no_folder_of_this_machine(folder: Path, tiny_bundle: Bundle, address: str) -> None:
    with pytest.raises(ConfigError, match=r"storages are s3://.*, not (s3a|az)://"):
        ScoringJob.open(folder, address, model=tiny_bundle.folder)
    with pytest.raises(ConfigError, match=r"storages are s3://"):
        ScoringJob.open(address, folder.parent / "out", model=tiny_bundle.folder)


def test_an_empty_name_is_not_the_working_folder(folder: Path, tiny_bundle: Bundle) -> None:
    given: list[tuple[Any, str]] = [("", "out"), ([folder, ""], "out"), (folder, "")]
    for inputs, out in given:
        with pytest.raises(ConfigError, match="The name of a file or folder is empty"):
            ScoringJob.open(inputs, out, model=tiny_bundle.folder)


def test_a_job_that_lost_its_plan_says_so(folder: Path, tiny_bundle: Bundle) -> None:
    opened(folder, tiny_bundle).start(resume=False)
    (folder.parent / "out" / PLAN).unlink()
    with pytest.raises(OutputError, match="has lost its plan"):
        opened(folder, tiny_bundle).start(resume=True)


def test_settings_may_be_lists_and_mappings_and_reach_a_worker_as_they_are(folder: Path, tiny_bundle: Bundle) -> None:
    how = {"fetch_origins": ["https://media.example"], "columns": {"text": "body"}, "keep": 1, "format": None}
    spec = opened(folder, tiny_bundle, **how).spec
    assert (spec.fetch_origins, spec.keep) == (("https://media.example",), True)
    assert spec.columns == Columns(text="body", addresses=True)
    assert str(JobSpec.from_dict(json.loads(json.dumps(spec.to_dict())))) == str(spec)


def test_a_job_goes_on_with_the_units_that_it_planned(folder: Path, tiny_bundle: Bundle) -> None:
    first = opened(folder, tiny_bundle)
    first.start(resume=False)
    again = opened(folder, tiny_bundle)
    with pytest.raises(OutputError, match=r"holds a job already.*--resume"):
        again.start(resume=False)
    again.start(resume=True)
    assert again.spec.fingerprint == first.spec.fingerprint
    assert [unit.index for unit in again.units()] == [0, 1, 2, 3]
    assert [unit.index for unit, part in again.finished(Shard(1, 3)) if part is None] == [1]


def test_addresses_of_this_machine_are_its_paths(folder: Path, tiny_bundle: Bundle) -> None:
    job = ScoringJob.open(f"file://{folder}", f"file://{folder.parent}/out", model=tiny_bundle.folder)
    assert (job.spec.inputs, job.spec.output) == ((str(folder),), str(folder.parent / "out"))


def test_a_file_has_one_name_however_it_is_written(
    folder: Path, tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (tmp_path / "link").symlink_to(folder)
    inputs = ["b.jsonl", "../in/b.jsonl", f"{folder}/../in/./b.jsonl", "../link/../in/*b.jsonl"]
    job = ScoringJob.open(inputs, "../out", model=tiny_bundle.folder, image_root="../in")
    assert job.spec.inputs == (*[f"{folder}/b.jsonl"] * 3, f"{folder}/*b.jsonl")
    assert (job.spec.output, job.spec.image_root) == (f"{tmp_path}/out", str(folder))
    assert len(list(job.sources())) == 1


def test_what_lies_above_a_link_is_what_lies_above_its_target(folder: Path, tiny_bundle: Bundle) -> None:
    (folder / "deep").mkdir()
    (folder.parent / "link").symlink_to(folder / "deep")
    job = ScoringJob.open(folder.parent / "link" / ".." / "b.jsonl", folder.parent / "out", model=tiny_bundle.folder)
    assert job.spec.inputs == (f"{folder}/b.jsonl",)


def change(folder: Path, what: str) -> None:
    if what == "changed":
        write_jsonl(folder / "b.jsonl", 21)
    elif what == "is new":
        write_jsonl(folder / "c.jsonl", 20)
    else:
        (folder / "b.jsonl").unlink()


@pytest.mark.parametrize("what", ["changed", "is new", "is gone"])
def test_an_input_that_is_another_now_is_named(folder: Path, tiny_bundle: Bundle, what: str) -> None:
    opened(folder, tiny_bundle).start(resume=False)
    change(folder, what)
    name = "c" if what == "is new" else "b"
    with pytest.raises(TableError, match=rf"'.*{name}\.jsonl' {what} since the job began"):
        opened(folder, tiny_bundle).start(resume=True)


@pytest.mark.parametrize(("name", "what"), [("x", "is new"), ("b", "is gone"), ("d", "is gone")])
def test_it_is_named_among_several_inputs_too(folder: Path, tiny_bundle: Bundle, name: str, what: str) -> None:
    write_jsonl(folder.parent / "a.jsonl", 20)
    inputs, out = (folder, folder.parent / "a.jsonl"), folder.parent / "out"
    ScoringJob.open(inputs, out, model=tiny_bundle.folder).start(resume=False)
    changed = folder / f"{name}.jsonl"
    changed.unlink() if changed.exists() else write_jsonl(changed, 20)
    with pytest.raises(TableError, match=rf"'{changed}' {what} since"):
        ScoringJob.open(inputs, out, model=tiny_bundle.folder).start(resume=True)


def test_other_settings_are_another_job(folder: Path, tiny_bundle: Bundle) -> None:
    opened(folder, tiny_bundle).start(resume=False)
    with pytest.raises(OutputError, match="unit_posts was 10, and is 5"):
        opened(folder, tiny_bundle, unit_posts=5).start(resume=True)
    with pytest.raises(OutputError, match="pixels was fast, and is exact"):
        opened(folder, tiny_bundle, pixels="exact").start(resume=True)


def test_a_folder_with_something_else_is_left_alone(folder: Path, tiny_bundle: Bundle) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"is not empty: there is '.*diary\.txt'"):
        opened(folder, tiny_bundle).start(resume=False)
    assert [path.name for path in out.iterdir()] == ["diary.txt"]


def test_an_input_without_posts_is_told(tmp_path: Path, tiny_bundle: Bundle) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("text\n")
    with pytest.raises(TableError, match="no posts: all tables in it are empty"):
        opened(tmp_path / "in", tiny_bundle).start(resume=False)
