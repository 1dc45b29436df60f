from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from PIL import Image
from tests.support.object_storage import s3_server
from tests.unit.jobs.conftest import InlineWorker, parts_of, write_jsonl, write_parquet

import crossguard
from crossguard.bundle import Bundle
from crossguard.data.columns import Columns
from crossguard.data.storage import Entry, Storage
from crossguard.data.writing import read_decisions
from crossguard.errors import BundleError, ConfigError, OutputError, TableError
from crossguard.jobs import job, run
from crossguard.jobs.parts import JOB, PLAN, read_json
from crossguard.jobs.run import locked, score_files
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part, Shard, Task
from crossguard.moderator import Moderator
from crossguard.scoring import score_file

pytestmark = pytest.mark.usefixtures("inline")

Score = Callable[..., JobSummary]


@pytest.fixture
def score(folder: Path, tmp_path: Path, tiny_bundle: Bundle) -> Score:
    """Scores the folder of inputs with the tiny model into `out`, ten posts to a part."""

    def call(out: str = "out", source: Path = folder, **settings: Any) -> JobSummary:
        how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10} | settings
        return score_files(source, tmp_path / out, **how)

    return call


def manifest_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "_manifest.jsonl").read_text().splitlines()]


def test_parts_are_what_one_file_would_hold(score: Score, folder: Path, tmp_path: Path, tiny: Moderator) -> None:
    summary = score()
    alone = b""
    for path in sorted(folder.iterdir()):
        score_file(path, tmp_path / "alone.jsonl", model=tiny, overwrite=True)
        alone += (tmp_path / "alone.jsonl").read_bytes()
    parts = parts_of(tmp_path / "out")
    del parts["_manifest.jsonl"]
    assert b"".join(parts.values()) == alone
    assert len(parts) == 9
    assert (summary.posts, summary.failed.total(), summary.done) == (90, 1, 9)


def test_the_manifest_adds_up(score: Score, tmp_path: Path) -> None:
    score()
    totals, *parts = manifest_of(tmp_path / "out")
    assert totals["posts"] == sum(part["posts"] for part in parts) == 90
    assert totals["failed"] == sum(part["failed"] for part in parts) == 1
    assert totals["bytes"] == sum((tmp_path / "out" / str(part["part"])).stat().st_size for part in parts)
    assert totals["parts"] == len(parts)


def test_readers_need_only_the_manifest(score: Score, tmp_path: Path) -> None:
    score()
    stray = tmp_path / "out" / "00000" / "part-00000003-00000000-10-0.jsonl"
    stray.write_text("rubbish")
    ids = [decision.id for decision in crossguard.read_decisions(tmp_path / "out")]
    assert ids[:3] == ["a0", "a1", "a2"]
    assert len(ids) == 90
    (tmp_path / "out" / "_manifest.jsonl").unlink()
    with pytest.raises(TableError, match="job in it is not finished, which --resume does"):
        next(read_decisions(tmp_path / "out"))
    with pytest.raises(TableError, match="or there is none"):
        next(read_decisions(tmp_path))


def test_a_finished_job_is_not_advised_to_be_finished(score: Score, tmp_path: Path) -> None:
    score()
    before = parts_of(tmp_path / "out")
    with pytest.raises(OutputError, match=r"It is finished: to score again, choose another folder"):
        score()
    assert score(resume=True).done == 0
    assert parts_of(tmp_path / "out") == before


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_parts_may_be_tables_that_keep_the_input(score: Score, tmp_path: Path, format_: str) -> None:
    score(format=format_, keep=True)
    decisions = list(read_decisions(tmp_path / "out"))
    assert len(decisions) == 90
    assert decisions[0].input["text"] == "hello you 0"


class Stops(InlineWorker):
    """A worker that is killed together with its driver after some units."""

    left = 4

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        if Stops.left == 0:
            raise KeyboardInterrupt
        Stops.left -= 1
        return super().run(task, progress)


def test_a_killed_driver_is_resumed(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score("whole")
    monkeypatch.setattr(Stops, "left", 4)
    with monkeypatch.context() as patch:
        patch.setattr(run, "make_workers", lambda _, made, __: [Stops(made.spec, made.identity)])
        with pytest.raises(KeyboardInterrupt):
            score()
    (tmp_path / "out" / "_unfinished" / "left").mkdir(parents=True)
    assert "_manifest.jsonl" not in parts_of(tmp_path / "out")
    with pytest.raises(OutputError, match=r"holds a job already.*--resume"):
        score()
    summary = score(resume=True)
    assert (summary.previous, summary.done) == (4, 5)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")
    assert not (tmp_path / "out" / "_unfinished").exists()
    again = score(resume=True)
    assert (again.previous, again.done) == (9, 0)


def test_clocks_do_not_matter(score: Score, tmp_path: Path) -> None:
    score("whole")
    score()
    for path in (tmp_path / "out").rglob("*"):
        os.utime(path, (4e9, 4e9) if path.name.endswith("1-10-0.jsonl") else (0, 0))
    lost = next((tmp_path / "out" / "00000").iterdir())
    lost.unlink()
    assert score(resume=True).done == 1
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: write_jsonl(folder / "a.jsonl", 41), "a.jsonl' changed"),
        (lambda folder: (folder / "b.csv").unlink(), "b.csv' is gone"),
        (lambda folder: write_jsonl(folder / "aa.jsonl", 9), "aa.jsonl' is new"),
        (lambda folder: write_jsonl(folder / "z.jsonl", 9), "z.jsonl' is new"),
    ],
)
def test_changed_input_is_refused_by_name(
    score: Score, folder: Path, change: Callable[[Path], object], message: str
) -> None:
    score()
    change(folder)
    with pytest.raises(TableError, match=message):
        score(resume=True)


def test_another_model_policy_or_setting_is_refused_by_name(score: Score, tmp_path: Path) -> None:
    score()
    with pytest.raises(OutputError, match=r"policy was default 1 .*and is benchmark 1"):
        score(resume=True, policy="benchmark")
    with pytest.raises(OutputError, match=r"pixels was fast, and is exact"):
        score(resume=True, pixels="exact")
    with pytest.raises(OutputError, match=r"model was tiny 1\.0\.0 .*and is compact"):
        score(resume=True, model="compact")
    with pytest.raises(OutputError, match="unit_posts was 10, and is 5"):
        score(resume=True, unit_posts=5)


def test_a_policy_file_may_change_while_a_job_runs(score: Score, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump({"name": "mine", "version": "1"}))
    score(policy=policy, watch=lambda *_: policy.unlink(missing_ok=True))
    assert {decision.policy for decision in read_decisions(tmp_path / "out")} == {"mine"}


def test_workers_that_share_cores_cost_no_more(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "available_cores", lambda: 1, raising=False)
    assert score(workers=2, source=write_jsonl(tmp_path / "few.jsonl", 12)).cores == 1


def test_shards_make_the_same_folder(score: Score, tmp_path: Path) -> None:
    score("whole")
    first, second = score(shards="0/3"), score(shards="2/3")
    assert (first.planned, second.planned, first.totals, second.totals) == (3, 3, None, None)
    assert score(shards="0/3").previous == 3
    last = score(shards="1/3")
    assert last.totals is not None
    assert last.totals.posts == 90
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


def test_a_second_run_into_one_folder_is_refused(score: Score, tmp_path: Path) -> None:
    seen: list[str] = []

    def again(*_: object) -> None:
        with pytest.raises(OutputError, match="Another run writes into"):
            score(resume=True)
        seen.append("refused")

    score(watch=again)
    assert seen


def test_two_drivers_in_a_storage_without_locks_are_harmless(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score("whole")
    monkeypatch.setattr(run, "lock_file", lambda _, **__: True)
    nested: list[JobSummary] = []

    def again(*_: object) -> None:
        if not nested:
            nested.append(score(resume=True))

    score(watch=again)
    assert nested[0].totals is not None
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


def test_a_slow_worker_keeps_one_unit_and_no_more(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score("whole")
    others_done = Event()
    units: list[list[int]] = [[], []]

    class Uneven(InlineWorker):
        """The first of two is slower than the other with all the rest."""

        number = 0

        def run(self, task: Task, progress: Callable[[int], None]) -> Part:
            if self.number == 0:
                assert others_done.wait(300)
            units[self.number].append(task.unit.index)
            return super().run(task, progress)

    def make(_: str, made: job.ScoringJob, __: int | None) -> list[Uneven]:
        workers = [Uneven(made.spec, made.identity) for _ in range(2)]
        workers[1].number = 1
        return workers

    def watch(_: object, summary: JobSummary) -> None:
        if summary.done == 8:
            others_done.set()

    monkeypatch.setattr(run, "make_workers", make)
    score(watch=watch)
    assert (len(units[0]), len(units[1])) == (1, 8)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


def hide_parts(monkeypatch: pytest.MonkeyPatch, listings: int) -> None:
    """Lets a storage list its second part only after so many listings that should have shown it."""
    listing = Storage.list
    left = listings

    def late(self: Storage, folder: str, **how: Any) -> Iterator[Entry]:
        nonlocal left
        hidden = [entry for entry in listing(self, folder, **how) if "part-00000001-" in entry.path]
        left -= bool(hidden)
        yield from (entry for entry in listing(self, folder, **how) if entry not in hidden or left < 0)

    monkeypatch.setattr(Storage, "list", late)
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_a_storage_that_lists_late_is_waited_for(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score("whole")
    hide_parts(monkeypatch, listings=3)
    summary = score()
    assert summary.totals is not None
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


def test_a_storage_that_lists_too_late_is_told_and_resumed(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score("whole")
    hide_parts(monkeypatch, listings=len(run.LISTING_WAITS) + 1)
    summary = score()
    assert summary.totals is None
    assert "does not list all of them" in summary.problems[0]
    again = score(resume=True)  # the part is not listed at first, so it is made again
    assert (again.done, again.problems) == (1, [])
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


def test_a_corrupt_row_group_is_on_record(score: Score, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "in.parquet", 30, rows_per_group=10)
    content = path.read_bytes()
    at = content.index(b"awful people 11 of 30")
    path.write_bytes(content[: at - 60] + b"\xff" * 60 + content[at:])
    summary = score(source=path)
    assert summary.failed == {"rows_unreadable": 10}
    assert next(decision.id for decision in read_decisions(tmp_path / "out") if decision.error) == "row-11"
    assert summary.totals is not None
    assert (summary.totals.posts, summary.totals.failed) == (30, 10)


def test_images_beside_a_table_and_in_a_folder(score: Score, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (40, 40), "blue").save(images / "blue.png")
    (tmp_path / "posts.csv").write_text("id,image_path\n1,images/blue.png\n2,images/none.png\n")
    score(source=tmp_path / "posts.csv")
    first, second = read_decisions(tmp_path / "out")
    assert first.ok
    assert second.error is not None
    assert second.error.code == "image_not_found"
    score("images-out", source=images)
    (decision,) = read_decisions(tmp_path / "images-out")
    assert (decision.id, decision.scores) == ("blue.png", first.scores)


def test_what_may_not_be_read_is_on_record_and_the_rest_is_scored(
    score: Score, folder: Path, tmp_path: Path, lock: Callable[[Path], None]
) -> None:
    (folder / "deep").mkdir()
    write_jsonl(folder / "deep" / "d.jsonl", 8)
    lock(folder / "a.jsonl")
    lock(folder / "deep")
    summary = score()
    assert (summary.posts, summary.failed, summary.problems) == (52, {"file_unreadable": 2}, [])
    assert summary.unreadable == [
        f"'{path}': '{path}' cannot be read: permission denied for this user."
        for path in (folder / "a.jsonl", folder / "deep")
    ]
    assert score(resume=True).totals == summary.totals
    with pytest.raises(TableError, match=r"a\.jsonl' cannot be read"):
        score("other", folder / "a.jsonl")


def test_a_changing_file_ends_the_run(score: Score, folder: Path) -> None:
    def change(*_: object) -> None:
        write_jsonl(folder / "a.jsonl", 41)

    with pytest.raises(TableError, match=r"a\.jsonl' changed since the input was planned"):
        score(watch=change)


def test_a_folder_that_is_in_use_is_refused(score: Score, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").touch()
    with pytest.raises(OutputError, match=r"not empty: there is '.*thesis\.doc'"):
        score()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"Cannot write into|is a file"):
        score("file")


def test_a_run_goes_on_with_a_job_that_began_beside_it(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score("whole")

    def read_and_wait(*asked: Any) -> dict[str, Any] | None:
        found = read_json(*asked)
        monkeypatch.setattr("crossguard.jobs.job.read_json", read_json)
        shutil.copytree(tmp_path / "whole", tmp_path / "out", dirs_exist_ok=True)  # as another machine does meanwhile
        return found

    monkeypatch.setattr("crossguard.jobs.job.read_json", read_and_wait)
    summary = score(resume=True)
    assert (summary.previous, summary.done) == (9, 0)


def test_a_refused_job_leaves_nothing(score: Score, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="There is no"):
        score(source=tmp_path / "none")
    with pytest.raises(BundleError):
        score(model=tmp_path / "none.model")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="none of the columns text"):
        score(source=tmp_path / "in.csv")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_part_with_rows_missing_is_not_taken(score: Score, tmp_path: Path) -> None:
    score()
    part = next((tmp_path / "out" / "00000").glob("part-00000008-*"))
    part.rename(part.with_name(part.name.replace("-10-0", "-9-0")))
    with pytest.raises(OutputError, match=r"should have 10 rows\. Delete it"):
        score(resume=True)


def test_a_part_that_was_cut_is_told_by_readers_and_a_resumed_run(score: Score, tmp_path: Path) -> None:
    score()
    part = next((tmp_path / "out" / "00000").glob("part-00000008-*"))
    whole = parts_of(tmp_path / "out")
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:7]))
    with pytest.raises(TableError, match=r"part-00000008-.*' has 7 of 10 rows\. Delete it"):
        list(read_decisions(tmp_path / "out"))
    with pytest.raises(OutputError, match=r"part-00000008-.*' has .* bytes, and had .*\. Delete it"):
        score(resume=True)
    part.unlink()
    score(resume=True)
    assert parts_of(tmp_path / "out") == whole


def test_settings_are_checked(score: Score, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Unknown setting 'colums'\. Did you mean 'columns'"):
        score(colums=3)
    with pytest.raises(ConfigError, match="workers is -1; it must be a whole number of at least 1"):
        score(workers=-1)
    with pytest.raises(ConfigError, match=r"'format': .*'jsonl', 'csv' or 'parquet'"):
        score(format="xlsx")
    with pytest.raises(TableError, match="at least one"):
        score_files([], tmp_path / "x")
    assert not (tmp_path / "out").exists()


def test_wrong_columns_are_told_before_anything_is_scored(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"none of the columns text.* To read one: columns=\{\"text\": \"NAME\"\} or"):
        score(source=tmp_path / "in.csv")
    with pytest.raises(TableError, match=r"none of the columns text.* To read one: --text-column NAME or"):
        score(source=tmp_path / "in.csv", columns=Columns())  # as the command line does


def test_a_listing_holds_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listing = Storage.list

    def note(self: Storage, folder: str, **how: Any) -> Iterator[object]:
        listed.append(folder)
        return listing(self, folder, **how)

    monkeypatch.setattr(Storage, "list", note)
    from crossguard.jobs.parts import finished
    from crossguard.jobs.units import Unit

    units = (Unit(Entry("x", 1, 1), "jsonl", index=index) for index in range(2500))
    assert sum(part is None for _, part in finished(Storage(str(tmp_path)), units, "00000000")) == 2500
    assert [Path(folder).name for folder in listed] == ["00000", "00001", "00002"]


def refused(output: Storage, shard: Shard | None = None) -> None:
    with pytest.raises(ConfigError), locked(output, shard or Shard()):
        raise ConfigError("no")


def test_a_run_that_is_refused_leaves_no_trace(tmp_path: Path) -> None:
    refused(Storage(str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()
    (tmp_path / "there").mkdir()
    refused(Storage(str(tmp_path / "there")))
    assert list((tmp_path / "there").iterdir()) == []


def test_the_plan_of_a_refused_run_goes_and_that_of_a_job_stays(tmp_path: Path) -> None:
    for name in (PLAN, JOB):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    refused(Storage(str(tmp_path)))
    assert (tmp_path / PLAN).exists(), "the job was there before"
    (tmp_path / JOB).unlink()
    refused(Storage(str(tmp_path)))
    assert not (tmp_path / PLAN).exists()


def test_a_shard_that_is_refused_leaves_the_plan_to_another_that_runs(tmp_path: Path) -> None:
    output = Storage(str(tmp_path))
    with locked(output, Shard(0, 2)):
        (tmp_path / PLAN).touch()
        refused(output, Shard(1, 2))
        assert (tmp_path / PLAN).exists()
        (tmp_path / JOB).touch()


def test_two_shards_may_run_at_once_and_one_shard_may_not_run_twice(tmp_path: Path) -> None:
    output = Storage(str(tmp_path / "out"))
    again = pytest.raises(OutputError, match="Another run writes into")
    with locked(output, Shard(0, 2)), locked(output, Shard(1, 2)), again, locked(output, Shard(0, 2)):
        pytest.fail("the first shard is held")


@pytest.mark.parametrize(("first", "second"), [(Shard(), Shard(1, 2)), (Shard(1, 2), Shard())])
def test_a_run_of_all_units_and_a_shard_exclude_each_other(tmp_path: Path, first: Shard, second: Shard) -> None:
    output = Storage(str(tmp_path / "out"))
    with locked(output, first), pytest.raises(OutputError, match="Another run writes into"), locked(output, second):
        pytest.fail("the folder is held")
    with locked(output, second):
        pass
    assert not (tmp_path / "out").exists(), "neither wrote anything"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="Cannot write into"),
        locked(Storage(str(tmp_path / "file" / "out")), Shard()),
    ):
        pytest.fail("there is no such folder")


def test_in_a_storage_nothing_is_locked() -> None:
    with s3_server() as (bucket, _):
        output = Storage(bucket.format("out"))
        with locked(output, Shard()), locked(output, Shard()):
            assert list(output.list(output.path, deep=True)) == []


def test_a_job_that_writes_into_its_input_is_resumed(score: Score, folder: Path, tmp_path: Path) -> None:
    score("in/out")
    assert score("in/out", resume=True).done == 0
    assert manifest_of(folder / "out")[0]["posts"] == 90
