from __future__ import annotations

import pytest
from tests.support.own_process import run_tests_beside

pytest.importorskip("ray", reason="Ray is not installed")


@pytest.mark.slow
def test_actors_of_ray() -> None:
    run_tests_beside(__file__, "ray_tests.py")
