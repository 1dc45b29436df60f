from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.integration.jobs.chaos import chaos

from crossguard.bundle import Bundle

on_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("engine", "storage", "kills"),
    [("local", "disk", 6), ("local", "s3", 4), pytest.param("ray", "disk", 4, marks=on_ray)],
)
def test_killed_drivers_and_workers_change_no_byte(
    tmp_path: Path, tiny_bundle: Bundle, engine: str, storage: str, kills: int
) -> None:
    done = chaos(tmp_path, tiny_bundle.folder, kills, seed=3, engine=engine, storage=storage)
    assert (done["driver"], done["worker"]) == (kills // 2, kills // 2)
