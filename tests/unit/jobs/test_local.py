"""Real processes: few tests, as each process takes a second or more to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.object_storage import s3_server
from tests.unit.jobs.conftest import parts_of, png, write_jsonl

from crossguard.bundle import Bundle
from crossguard.data.writing import read_decisions
from crossguard.errors import CrossguardError
from crossguard.jobs import run
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.local import LocalWorker, local_workers
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.run import score_files
from crossguard.jobs.units import Part, Task

# Runs in every worker: an image of this size ends the process, as a fault in a decoder written in C would.
POISON = """
import os
from crossguard.data import image_decoding
original = image_decoding._decoded
def decode(image, *others):
    if image.size == (13, 7):
        os.kill(os.getpid(), 11)
    return original(image, *others)
image_decoding._decoded = decode
"""


@pytest.mark.slow
def test_an_image_that_crashes_its_worker_fails_alone(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [png((13, 7) if index == 5 else (20 + index, 20)) for index in range(12)]
    table = pa.table({"id": [f"a{index}" for index in range(12)], "text": ["hello you"] * 12, "image": images})
    parquet.write_table(table, tmp_path / "in.parquet")
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 4, "workers": 1}
    score_files(tmp_path / "in.parquet", tmp_path / "whole", **how)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    summary = score_files(tmp_path / "in.parquet", tmp_path / "out", **how)
    assert summary.failed == {"worker_crashed": 1}
    decisions = list(read_decisions(tmp_path / "out"))
    assert [decision.id for decision in decisions if not decision.ok] == ["a5"]
    assert decisions[5].error is not None
    assert "signal 11 (SIGSEGV)" in decisions[5].error.message
    whole, parts = parts_of(tmp_path / "whole"), parts_of(tmp_path / "out")
    assert decisions[:5] + decisions[6:] == [each for each in read_decisions(tmp_path / "whole") if each.id != "a5"]
    assert {name for name in whole if whole[name] != parts.get(name)} == {
        name for name in whole if name.startswith(("00000/part-00000001-", "_manifest"))
    }


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ScoringJob.open(write_jsonl(tmp_path / "in.jsonl", 8), tmp_path / "out", model=tiny_bundle.folder)
    job.start(resume=False)
    task = Task(next(job.units()))
    with closing(LocalWorker(job.spec, job.identity, (), threads=1)) as worker:
        part = worker.run(task, lambda _: None)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr("crossguard.jobs.local.STALL_SECONDS", 0.5)
            with pytest.raises(WorkerCrashed, match="it did not move for"):
                worker.run(task, lambda _: None)
        assert worker.run(task, lambda _: None).name == part.name


@pytest.mark.slow
def test_killed_workers_are_replaced(tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 12)
    made: list[LocalWorker] = []

    def workers(engine: str, job: ScoringJob, count: int | None) -> list[LocalWorker]:
        made[:] = local_workers(job.spec, job.identity, count)
        return made

    def kill(event: object, _: object) -> None:
        for worker in made:
            if isinstance(event, Part) and event.index < 2 and worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(run, "make_workers", workers)
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 4, "workers": 1}
    summary = score_files(source, tmp_path / "out", watch=kill, **how)
    assert (summary.done, summary.posts, dict(summary.failed)) == (3, 12, {"line_malformed": 1})


def test_a_worker_that_cannot_load_says_why(tmp_path: Path, tiny_bundle: Bundle) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 8)
    job = ScoringJob.open(source, tmp_path / "out", model=tiny_bundle.folder)
    job.start(resume=False)
    worker = LocalWorker(job.spec, {**job.identity, "model": "another"}, (), threads=1)
    with pytest.raises(CrossguardError, match="This worker is not like the others: model is tiny") as told:
        worker.run(Task(next(job.units())), lambda _: None)
    assert told.value.exit_code == 5
    worker.close()


def test_a_defect_while_a_worker_loads_is_shown_once(tmp_path: Path, tiny_bundle: Bundle) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 8)
    job = ScoringJob.open(source, tmp_path / "out", model=tiny_bundle.folder)
    job.start(resume=False)
    with (
        closing(LocalWorker(job.spec, {}, (), threads=1)) as worker,
        pytest.raises(CrossguardError, match=r"(?s)Traceback.*KeyError: 'input'"),
    ):
        worker.run(Task(next(job.units())), lambda _: None)


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, tiny_bundle: Bundle) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 400)
    command = (
        f"{sys.executable} -m crossguard score {source} --model {tiny_bundle.folder} --unit-posts 200 --workers 1 -q"
    )
    subprocess.run(["bash", "-c", f"{command} -o {tmp_path}/whole/"], check=True)
    # Files of at most 100 KiB: the plan fits, and a part does not.
    full = subprocess.run(
        ["bash", "-c", f"ulimit -f 100; {command} -o {tmp_path}/out/"], capture_output=True, text=True, check=False
    )
    assert full.returncode == 7
    assert "File too large" in full.stderr
    subprocess.run(["bash", "-c", f"{command} -o {tmp_path}/out/ --resume"], check=True)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize(("ended", "whole_group"), [("SIGINT", True), ("SIGTERM", True), ("SIGKILL", False)])
def test_no_posts_stay_on_this_machine_where_a_job_into_a_storage_ends(
    tmp_path: Path, tiny_bundle: Bundle, ended: str, whole_group: bool
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 60_000)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with s3_server() as (address, _):
        command = ["score", str(source), "--model", str(tiny_bundle.folder), "-o", address.format("out/"), "-q"]
        driver = subprocess.Popen(
            [sys.executable, "-m", "crossguard", *command, "--workers", "1", "--keep"],
            env={**os.environ, "TMPDIR": str(temporary)},
            process_group=0,
        )
        # Folders come and go meanwhile, at which `rglob` would raise.
        _until(lambda: any("part.jsonl" in names for *_, names in os.walk(temporary)) or driver.poll() is not None)
        assert driver.poll() is None
        (os.killpg if whole_group else os.kill)(driver.pid, signal.Signals[ended])
        driver.wait()
        _until(lambda: not any(temporary.iterdir()))


@pytest.mark.slow
def test_no_posts_of_a_worker_stay_that_is_killed(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = write_jsonl(tmp_path / "in.jsonl", 8)
    with s3_server() as (address, _):
        job = ScoringJob.open(source, address.format("out/"), model=tiny_bundle.folder)
        job.start(resume=False)
        with closing(LocalWorker(job.spec, job.identity, (), threads=1)) as worker:
            task = Task(next(job.units()))
            worker.run(task, lambda _: None)
            (scratch,) = tmp_path.glob("crossguard-*")
            (scratch / "posts").touch()
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            with pytest.raises(WorkerCrashed):
                worker.run(task, lambda _: None)
            assert not scratch.exists()
            worker.run(task, lambda _: None)
        assert not [*tmp_path.glob("crossguard-*")]


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
