"""`scripts/make-with-encoder` with a command in place of Crossguard's that says how it is called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make-with-encoder"


def make(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where all that it reads and writes lies in a folder."""
    stub = folder / "crossguard"
    stub.write_text('#!/bin/sh\necho "called: $1"\n', encoding="utf-8")
    stub.chmod(0o755)
    places = {"BIN": str(folder), "WORK": str(folder / "runs"), "OUT": str(folder / "models")}
    arguments = [str(SCRIPT), "compact-clip", str(folder / "tables"), *options]
    return subprocess.run(arguments, capture_output=True, text=True, env=os.environ | places, check=False)


@pytest.mark.skipif(shutil.which("bash") is None, reason="a script of bash")
def test_a_finished_run_is_exported_and_takes_no_options(tmp_path: Path) -> None:
    assert make(tmp_path, "--set", "seed=1").stdout.startswith("called: train\ncalled: export\n")
    run = tmp_path / "runs" / "compact-clip"
    run.mkdir(parents=True)
    (run / "model.safetensors").touch()
    again = make(tmp_path)
    assert again.stdout.startswith("called: export\n")
    assert f"{run} is trained already, only exporting." in again.stderr
    refused = make(tmp_path, "--set", "seed=1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "these options would change nothing: --set seed=1. Remove" in refused.stderr
