from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.integration.jobs.chaos import chaos

from crossguard.bundle import Bundle


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_killed_drivers_and_workers_change_no_byte(tmp_path: Path, tiny_bundle: Bundle) -> None:
    done = chaos(tmp_path, tiny_bundle.folder, kills=8, seed=3)
    assert done["driver"] + done["worker"] == 8
    assert done["driver"]
    assert done["worker"]
