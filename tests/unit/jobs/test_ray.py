"""How many workers a cluster gets; what they do is tested in a process of their own, which Ray may end."""

from __future__ import annotations

import pytest
from tests.support.own_process import run_tests_beside

from crossguard.errors import ConfigError
from crossguard.jobs.ray import cluster_crew


@pytest.mark.slow
def test_actors_of_ray() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    run_tests_beside(__file__, "ray_tests.py")


@pytest.mark.parametrize(
    ("machines", "threads", "count", "expected"),
    [
        ([2], None, None, (1, 2)),
        ([16, 16], None, None, (8, 4)),
        ([1, 1, 1], None, None, (3, 1)),
        ([3, 3], 2, None, (2, 2)),
        ([2], None, 2, (2, 1)),
        ([1, 1], None, 1, (1, 1)),
        ([1], None, 64, (64, 1)),
        ([], None, 64, (64, 4)),
        ([], 8, None, (1, 8)),
        ([8, 2], 8, 3, (3, 8)),
    ],
)
def test_a_worker_uses_cores_of_one_machine(
    machines: list[int], threads: int | None, count: int | None, expected: tuple[int, int]
) -> None:
    assert cluster_crew(machines, threads, count) == expected


def test_a_worker_that_no_machine_has_cores_for_is_refused_unless_machines_are_to_come() -> None:
    with pytest.raises(
        ConfigError, match=r"No machine of the cluster has 4 cores .* the largest has 2\. Use --threads 2\."
    ):
        cluster_crew([1, 2], 4, None)
    with pytest.warns(UserWarning, match="No machine of the cluster has 4 cores .* wait until there is one"):
        assert cluster_crew([1, 2], 4, 64) == (64, 4)
