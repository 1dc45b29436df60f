"""Real processes: few tests, as each process takes a second or more to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.conftest import parts_of, write_jsonl

from crossguard.bundle import Bundle
from crossguard.data.writing import read_decisions
from crossguard.errors import CrossguardError
from crossguard.jobs import run
from crossguard.jobs.job import Job
from crossguard.jobs.local import LocalWorker, local_workers
from crossguard.jobs.run import score_files
from crossguard.jobs.units import Part, Task

# Runs in every worker: a post with this name ends the process, as a fault in a decoder written in C would.
POISON = """
import os
from crossguard.jobs import tasks
original = tasks._without
def posts(*arguments):
    for post in original(*arguments):
        if post.id == "a5" and post.error is None:
            os.kill(os.getpid(), 11)
        yield post
tasks._without = posts
"""


@pytest.mark.slow
def test_a_post_that_crashes_its_worker_fails_alone(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 8)
    score_files(source, tmp_path / "whole", model=tiny_bundle.folder, unit_posts=4, workers=1)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(POISON)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    summary = score_files(source, tmp_path / "out", model=tiny_bundle.folder, unit_posts=4, workers=1)
    assert summary.failed == {"worker_crashed": 1, "line_malformed": 1}
    failed = [decision for decision in read_decisions(tmp_path / "out") if decision.id == "a5"]
    assert failed[0].error is not None
    assert "signal 11 (SIGSEGV)" in failed[0].error.message
    whole, parts = parts_of(tmp_path / "whole"), parts_of(tmp_path / "out")
    assert [decision.id for decision in read_decisions(tmp_path / "out")][:6] == [f"a{index}" for index in range(6)]
    first = "00000/part-00000000-"
    assert [parts[name] for name in parts if name.startswith(first)] == [
        whole[name] for name in whole if name.startswith(first)
    ]


@pytest.mark.slow
def test_killed_workers_are_replaced(tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 12)
    made: list[LocalWorker] = []

    def workers(engine: str, job: Job, count: int | None) -> list[LocalWorker]:
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
    job = Job.open(source, tmp_path / "out", model=tiny_bundle.folder)
    job.start(resume=False)
    worker = LocalWorker(job.spec, {**job.identity, "model": "another"}, (), threads=1)
    with pytest.raises(CrossguardError, match="This worker is not like the others: model is tiny") as told:
        worker.run(Task(next(job.units())), lambda _: None)
    assert told.value.exit_code == 5
    worker.close()


@pytest.mark.slow
def test_a_killed_driver_leaves_no_workers_and_is_resumed(tmp_path: Path, tiny_bundle: Bundle) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", 3000)
    how = ["--model", str(tiny_bundle.folder), "--unit-posts", "50", "--workers", "1", "--resume", "-q"]
    command = [sys.executable, "-m", "crossguard", "score", str(source), *how]
    subprocess.run([*command, "-o", f"{tmp_path}/whole/"], check=True)
    out = tmp_path / "out"
    driver = subprocess.Popen([*command, "-o", f"{out}/"])
    while not list(out.glob("0*/part-*")):
        assert driver.poll() is None
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    subprocess.run([*command, "-o", f"{out}/"], check=True)
    assert parts_of(out) == parts_of(tmp_path / "whole")


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
