from __future__ import annotations

import pytest
from tests.support.own_process import run_tests_beside

pytest.importorskip("ray", reason="Ray is not installed")


@pytest.mark.slow
def test_nodes_come_and_are_lost() -> None:
    run_tests_beside(__file__, "ray_cluster_tests.py")
