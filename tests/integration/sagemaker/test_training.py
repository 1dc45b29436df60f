"""A training job with SageMaker's folders: run, killed like a spot machine, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crossguard.bundle import read_bundle
from crossguard.data.datasets.rows import Row, write_table
from crossguard.labels import HATE
from crossguard.moderator import Moderator

pytestmark = pytest.mark.slow

RECIPE = """
backend: compact
encoder_name: tiny
fusion_dim: 8
max_text_length: 16
image_size: 32
num_train_epochs: 3
per_device_train_batch_size: 4
precision: fp32
normalization: social
augment: false
early_stopping_patience: null
"""
PATIENCE_S = 600


def job(base: Path) -> Path:
    """Lays out what SageMaker lays out below /opt/ml before it starts a container."""
    train = base / "input" / "data" / "train"
    train.mkdir(parents=True)
    random = np.random.default_rng(3)
    for index in range(4):
        Image.fromarray(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(train / f"{index}.png")
    rows = [
        Row(
            f"{index}",
            text=f"post {index} of {'friends' if index % 2 else 'others'}",
            image=train / f"{index % 4}.png",
            split="val" if index % 5 == 0 else "train",
            labels={name: float((index + place) % 2) for place, name in enumerate(HATE.names)},
        )
        for index in range(60)
    ]
    write_table(rows, HATE.names, "made", train / "made.parquet")
    recipe = base / "input" / "data" / "recipe"
    recipe.mkdir()
    (recipe / "tiny.yaml").write_text(RECIPE)
    config = base / "input" / "config"
    config.mkdir()
    given = {"recipe": '"tiny.yaml"', "lr_head": "1e-3", "save_every": "2", "model_name": '"job"'}
    (config / "hyperparameters.json").write_text(json.dumps(given))
    return base


def start(base: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(base),
        "CROSSGUARD_CACHE": str(base.parent / "cache"),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "crossguard.deploy.sagemaker.train"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told[-3000:]
    return told


def interrupt(base: Path) -> None:
    """Starts the job and kills it after its first checkpoint, as a spot machine is taken away."""
    with start(base) as process:
        end = time.monotonic() + PATIENCE_S
        while not (base / "checkpoints" / "state.pt").is_file():
            assert process.poll() is None, process.communicate()[1][-3000:]
            assert time.monotonic() < end, "no checkpoint in time"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (base / "model").exists(), "the job was to be killed before its end"


def steps(base: Path) -> list[int]:
    log = (base / "checkpoints" / "log.jsonl").read_text().splitlines()
    return [entry["step"] for entry in map(json.loads, log) if entry["kind"] == "train"]


def test_an_interrupted_job_goes_on_and_leaves_a_bundle(tmp_path: Path) -> None:
    base = job(tmp_path / "ml")
    interrupt(base)
    before = len(steps(base))
    finish(start(base))
    done = steps(base)
    # Three epochs of 48 posts in batches of four; what was done since the last checkpoint is done again.
    assert max(done) == 36
    assert 36 <= len(done) < 36 + before
    bundle = read_bundle(base / "model")
    assert (bundle.manifest.model.name, bundle.labels.names) == ("job", HATE.names)
    assert set(Moderator.load(base / "model").score(text="post 7 of friends").scores) == set(HATE.names)
    assert {"recipe.yaml", "log.jsonl", "val_metrics.json"} <= {
        path.name for path in (base / "output" / "data").iterdir()
    }


def test_a_failed_job_leaves_its_reason_where_aws_looks_for_it(tmp_path: Path) -> None:
    base = job(tmp_path / "ml")
    (base / "input" / "data" / "train" / "made.parquet").unlink()
    process = start(base)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    reason = (base / "output" / "failure").read_text()
    assert "must hold one table" in reason
    assert reason in told
    assert "Traceback" not in told


def test_a_wrong_hyperparameter_is_told_too(tmp_path: Path) -> None:
    base = job(tmp_path / "ml")
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps({"recipe": "tiny.yaml", "lr_heat": "1"}))
    process = start(base)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "Did you mean 'lr_head'" in (base / "output" / "failure").read_text()
    assert "lr_head" in told
