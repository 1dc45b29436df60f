from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.conftest import parts_of, write_jsonl

from crossguard.bundle import Bundle
from crossguard.data.storage import Entry
from crossguard.jobs import run
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.ray import RayWorker, _Scorer, ray_workers
from crossguard.jobs.run import score_files
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import TASK, Part, Task, Unit

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_ray_makes_the_same_parts_and_replaces_actors(
    folder: Path, tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10, "workers": 1}
    score_files(folder, tmp_path / "whole", **how)
    made: list[RayWorker] = []

    def workers(engine: str, job: ScoringJob, count: int | None) -> list[RayWorker]:
        made[:] = ray_workers(job.spec, job.identity, count)
        return made

    def kill(event: object, _: object) -> None:
        if isinstance(event, Part) and event.index == 2 and made[event.worker]._actor is not None:
            ray.kill(made[event.worker]._actor)

    monkeypatch.setattr(run, "make_workers", workers)
    # Two actors of two cores each: one waits until the other has ended.
    more: dict[str, Any] = {"workers": 2, "threads": 2}
    summary = score_files(folder, tmp_path / "out", engine="ray", watch=kill, **how | more)
    assert (summary.done, summary.posts, summary.cores) == (9, 90, 4)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")


@pytest.mark.usefixtures("cluster")
def test_an_actor_tells_how_far_it_is_and_counts_for_ray(
    tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, float, dict[str, str] | None]] = []

    def count(self: Any, value: float, tags: dict[str, str] | None = None) -> None:
        counted.append((self.info["name"], value, tags))

    monkeypatch.setattr("ray.util.metrics.Counter.inc", count)
    monkeypatch.setattr("crossguard.jobs.ray.claim_cores", lambda _: None)  # these are the tests' own cores
    job = ScoringJob.open(write_jsonl(tmp_path / "in.jsonl", 200), tmp_path / "out", model=tiny_bundle.folder)
    job.start(resume=False)
    actor = _Scorer(job.spec.to_dict(), job.identity)
    *moves, last = actor.run(TASK.dump_python(Task(next(job.units()))))
    assert [move["posts"] for move in moves] == [0, 64, 64, 64]
    assert last["part"]["posts"] == 200
    assert counted == [
        ("crossguard_job_posts", 200, None),
        ("crossguard_job_seconds", last["part"]["seconds"], None),
        ("crossguard_job_failed_posts", 1, {"code": "line_malformed"}),
    ]
    (told,) = list(_Scorer(job.spec.to_dict(), {**job.identity, "model": "another"}).run({}))[1:]
    assert "This worker is not like the others" in told["fatal"]


TASK_OF_NONE = Task(Unit(Entry("in.jsonl", 1, 1), "jsonl", index=0))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> tuple[RayWorker, list[str]]:
    """A worker, and what happens to its actors, which are none."""
    happened: list[str] = []

    class Nobody:
        def __getattr__(self, _: str) -> Nobody:
            return self

        def __call__(self, *_: object, **__: object) -> Nobody:
            return self

        def __next__(self) -> Nobody:
            return self

    def make(**_: object) -> Callable[[type], Nobody]:
        happened.append("made")
        return lambda _: Nobody()

    monkeypatch.setattr(ray, "remote", make)
    monkeypatch.setattr(ray, "kill", lambda _: happened.append("killed"))
    return RayWorker(JobSpec(inputs=(), output="", policy={}), {}, 1), happened


@pytest.mark.parametrize(
    "error",
    [
        ray.exceptions.OutOfMemoryError("Memory on the node was low"),
        ray.exceptions.NodeDiedError("The node is gone"),
        ray.exceptions.ActorDiedError(),
        ray.exceptions.WorkerCrashedError(),
        ray.exceptions.ObjectLostError("00ff", None, ""),
    ],
)
def test_an_actor_that_ray_or_its_machine_ended_is_made_anew(
    worker: tuple[RayWorker, list[str]], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "get", get)
    made, happened = worker
    for _ in range(2):
        with pytest.raises(WorkerCrashed, match=r"\w"):
            made.run(TASK_OF_NONE, lambda _: None)
    assert happened == ["made", "killed"] * 2


def test_a_worker_that_was_closed_makes_no_further_actor(worker: tuple[RayWorker, list[str]]) -> None:
    made, happened = worker
    made.close()
    with pytest.raises(WorkerCrashed, match="the job is ending"):
        made.run(TASK_OF_NONE, lambda _: None)
    assert happened == []


def test_an_actor_that_is_made_while_the_job_is_stopped_is_ended(
    worker: tuple[RayWorker, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, happened = worker
    make = ray.remote

    def stop_meanwhile(**how: object) -> Any:
        made.close()
        return make(**how)

    monkeypatch.setattr(ray, "remote", stop_meanwhile)
    with pytest.raises(WorkerCrashed, match="the job is ending"):
        made.run(TASK_OF_NONE, lambda _: None)
    assert happened == ["made", "killed"]
