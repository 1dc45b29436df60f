"""Two runs never write into one folder at once, and a refused one leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.object_storage import s3_server

from crossguard.data.storage import Storage
from crossguard.errors import ConfigError, OutputError
from crossguard.jobs.locking import locked
from crossguard.jobs.parts import JOB, PLAN
from crossguard.jobs.units import Shard


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
