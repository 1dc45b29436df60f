from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.jobs import cores
from crossguard.jobs.cores import claim_cores, memory_nodes, share_cores


def test_nodes_hold_allowed_cores_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "allowed_cores", lambda: [0, 1, 2, 9])
    for node, cpus in (("node0", "0-3,8"), ("node1", "4-7,9"), ("node10", "10-11")):
        (tmp_path / node).mkdir()
        (tmp_path / node / "cpulist").write_text(f"{cpus}\n")
    assert memory_nodes(tmp_path) == [[0, 1, 2], [9]]
    assert memory_nodes(tmp_path / "none") == [[0, 1, 2, 9]]


NODES = [list(range(8)), list(range(8, 16))]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7, 16])
def test_every_core_has_one_worker_and_no_worker_two_nodes(workers: int) -> None:
    shares = share_cores(workers, NODES)
    assert len(shares) == workers
    assert sorted(core for share in shares for core in share) == list(range(16))
    if workers > 1:
        assert all(max(share) < 8 or min(share) >= 8 for share in shares)


def test_more_workers_than_cores_share() -> None:
    assert share_cores(3, [[4, 5]]) == [[4], [5], [4]]


def test_cores_are_claimed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[list[int]] = []
    monkeypatch.setattr("os.sched_setaffinity", lambda _, own: bound.append(own))
    monkeypatch.setattr(cores, "allowed_cores", lambda: list(range(16)))
    monkeypatch.setattr(cores, "available_cores", lambda: 16)
    monkeypatch.setattr(cores, "memory_nodes", lambda: NODES)
    claims = [claim_cores(4, tmp_path) for _ in range(5)]
    assert sorted(core for own in bound for core in own) == list(range(16))
    assert (len(bound), claims[4]) == (4, None)
    assert claims[1] is not None
    claims[1].close()
    again = claim_cores(4, tmp_path)
    assert again is not None
    assert bound[4] == bound[1]
    monkeypatch.setattr(cores, "available_cores", lambda: 8)
    assert claim_cores(4, tmp_path) is None, "under a quota"
    for claim in [*claims, again]:
        if claim is not None:
            claim.close()
