"""`deploy/score-array.sh` with a command in place of Slurm's that says what it is to run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "score-array.sh"


pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="a script of bash")


def run(folder: Path, array: list[int], number: int, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs the script as one task of an array."""
    stub = folder / "srun"
    stub.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    tasks = {"ID": number, "COUNT": len(array), "MIN": min(array), "MAX": max(array)}
    slurm = {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in tasks.items()} | {"SLURM_CPUS_PER_TASK": "8"}
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", str(SCRIPT), "posts/", "decisions/"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | path | slurm | more, check=False)


def task(folder: Path, array: list[int], number: int, **more: str) -> str:
    """Returns the shard that one task of an array scores."""
    ended = run(folder, array, number, **more)
    assert ended.returncode == 0, ended.stderr
    called, _, shard = ended.stdout.strip().partition(" --shards ")
    assert called == "--cpus-per-task=8 crossguard score posts/ -o decisions/"
    return shard


def test_a_task_that_is_submitted_again_alone_scores_the_shard_that_failed(tmp_path: Path) -> None:
    array = next(line for line in SCRIPT.read_text("utf-8").splitlines() if line.startswith("#SBATCH --array="))
    assert array.endswith("=0-15")
    assert {task(tmp_path, tasks, 7) for tasks in ([*range(16)], [7], [3, 7], [7, 8])} == {"7/16"}
    assert task(tmp_path, [*range(32)], 5, SHARDS="32") == "5/32"


def test_an_array_that_would_leave_shards_out_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, [0, 1, 2, 3], 2)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("--array=0-3 is 4 of 16 shards: set SHARDS=4, or SHARDS=16 to score only these ag")
    assert [task(tmp_path, [0, 1, 2, 3], 2, SHARDS=shards) for shards in ("4", "16")] == ["2/4", "2/16"]
