from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.jobs.conftest import parts_of

from crossguard.bundle import Bundle
from crossguard.jobs import run
from crossguard.jobs.job import Job
from crossguard.jobs.ray import RayWorker, ray_workers
from crossguard.jobs.run import score_files
from crossguard.jobs.units import Part

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_ray_makes_the_same_parts_and_replaces_actors(
    folder: Path, tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10, "workers": 1}
    score_files(folder, tmp_path / "whole", **how)
    made: list[RayWorker] = []

    def workers(engine: str, job: Job, count: int | None) -> list[RayWorker]:
        made[:] = ray_workers(job.spec, job.identity, count)
        return made

    def kill(event: object, _: object) -> None:
        if isinstance(event, Part) and event.index == 2 and made[0]._actor is not None:
            ray.kill(made[0]._actor)

    monkeypatch.setattr(run, "make_workers", workers)
    summary = score_files(folder, tmp_path / "out", engine="ray", watch=kill, **how)
    assert (summary.done, summary.posts) == (9, 90)
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")
