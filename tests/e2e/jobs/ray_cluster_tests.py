"""Jobs on a Ray of several nodes, simulated on this machine: nodes come, and are lost in the middle of the work."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.object_storage import files_in, s3_server, upload
from tests.unit.jobs.conftest import parts_of, write_jsonl

from crossguard.bundle import Bundle
from crossguard.jobs.run import score_files
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

# So that Ray notices a lost node in two seconds, and not in fifteen.
QUICK = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}


@contextmanager
def cluster(**head: Any) -> Iterator[Any]:
    """A cluster whose head only drives, with this process as the driver."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK} | head
    made: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(address=made.address, log_to_driver=False, configure_logging=False)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def test_nodes_that_are_lost_change_no_byte_in_a_storage(tmp_path: Path, tiny_bundle: Bundle) -> None:
    (tmp_path / "in").mkdir()
    write_jsonl(tmp_path / "in" / "a.jsonl", 160)
    draw = random.Random(5)  # noqa: S311 - dice
    with s3_server() as (address, faults):
        upload(address.format("in"), tmp_path / "in")
        how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10}
        score_files(address.format("in"), address.format("whole"), workers=1, **how)
        faults.every = 50
        with cluster() as made:
            nodes = [made.add_node(num_cpus=1) for _ in range(2)]
            lost: list[int] = []

            def lose_one(event: object, summary: JobSummary) -> None:
                """Another one comes in its place, as on a spot market."""
                if isinstance(event, Part) and summary.done == 4:
                    made.remove_node(nodes.pop(draw.randrange(2)), allow_graceful=False)
                    nodes.append(made.add_node(num_cpus=1, wait=False))
                    lost.append(summary.done)

            how |= {"engine": "ray", "workers": 2, "threads": 1}
            summary = score_files(address.format("in"), address.format("out"), watch=lose_one, **how)
        assert lost == [4]
        assert (summary.done, summary.problems, summary.failed) == (16, [], {"line_malformed": 1})
        assert files_in(address.format("out")) == files_in(address.format("whole"))


def test_a_cluster_grows_for_a_job(tmp_path: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
    address = f"{ray.util.get_node_ip_address()}:{port}"
    head = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    node = {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2}
    config = {
        "cluster_name": "test",
        "provider": {"type": "fake_multinode", "disable_node_updaters": True, "gcs_address": address},
        "max_workers": 2,
        "available_node_types": {"ray.head.default": head, "node": node},
        "head_node_type": "ray.head.default",
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1,
    }
    config |= {name: {} for name in ("auth", "docker", "file_mounts")}
    commands = ["initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray"]
    config |= {f"{name}_commands": [] for name in commands} | {"cluster_synced_files": []}
    (tmp_path / "autoscaler.json").write_text(json.dumps(config))
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    monkeypatch.setenv("AUTOSCALER_UPDATE_INTERVAL_S", "1")
    source = write_jsonl(tmp_path / "in.jsonl", 100)
    how: dict[str, Any] = {"model": tiny_bundle.folder, "unit_posts": 10}
    score_files(source, tmp_path / "whole", workers=1, **how)
    with cluster(gcs_server_port=port, autoscaling_config=str(tmp_path / "autoscaler.json")):
        assert ray.cluster_resources().get("CPU", 0) == 0
        summary = score_files(source, tmp_path / "out", engine="ray", workers=2, threads=1, **how)
        assert ray.cluster_resources()["CPU"] >= 1
    assert summary.done == 10
    assert parts_of(tmp_path / "out") == parts_of(tmp_path / "whole")
