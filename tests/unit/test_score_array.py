"""`deploy/score-array.sh` with a command in place of Slurm's that says what it is to run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "score-array.sh"


def task(folder: Path, number: int, count: int, **more: str) -> str:
    """Runs the script as one task of a submission of so many, and returns the shard that it scores."""
    stub = folder / "srun"
    stub.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": str(count), "SLURM_CPUS_PER_TASK": "8"}
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", str(SCRIPT), "posts/", "decisions/"]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | path | slurm | more, check=True)
    called, _, shard = ended.stdout.strip().partition(" --shards ")
    assert called == "--cpus-per-task=8 crossguard score posts/ -o decisions/"
    return shard


@pytest.mark.skipif(shutil.which("bash") is None, reason="a script of bash")
def test_a_task_that_is_submitted_again_alone_scores_the_shard_that_failed(tmp_path: Path) -> None:
    array = next(line for line in SCRIPT.read_text("utf-8").splitlines() if line.startswith("#SBATCH --array="))
    assert array.endswith("=0-15")
    assert task(tmp_path, 5, 16) == task(tmp_path, 5, 1) == "5/16"
    assert task(tmp_path, 5, 32, SHARDS="32") == "5/32"
