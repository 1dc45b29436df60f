from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.integration.jobs.chaos import chaos
from tests.support.own_process import run_python

from crossguard.bundle import Bundle

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")]


@pytest.mark.parametrize(("storage", "kills"), [("disk", 6), ("s3", 4)])
def test_killed_drivers_and_workers_change_no_byte(
    tmp_path: Path, tiny_bundle: Bundle, storage: str, kills: int
) -> None:
    done = chaos(tmp_path, tiny_bundle.folder, kills, seed=3, storage=storage)
    assert (done["driver"], done["worker"]) == (kills // 2, kills // 2)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_killed_drivers_and_actors_of_ray_change_no_byte() -> None:
    printed = run_python(
        *("-m", "tests.integration.jobs.chaos", "--engine", "ray", "--kills", "4", "--seed", "3"), seconds=600
    )
    assert "killed 2 drivers and 2 workers" in printed
