"""Whole runs on tiny models: train, go on after a kill, share work, export, score."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from safetensors.torch import load_file
from tests.support import tiny_training
from tests.support.tiny_table import LABELS, write_tiny_table
from tests.support.tiny_training import SHORT_RUN

import crossguard
from crossguard.data.datasets.rows import Row, write_table
from crossguard.errors import ConfigError
from crossguard.export.bundle import ExportPlan, export_bundle
from crossguard.export.policies import PolicyPlan
from crossguard.training.recipe import Recipe
from crossguard.training.run import train
from crossguard.training.sources import Fold, read_examples

SETTINGS = """\
backend: clip
head: fusion
encoder_name: tiny
fusion_dim: 16
labels: [racist, sexist]
max_text_length: 64
image_size: 32
num_train_epochs: {epochs}
per_device_train_batch_size: 8
gradient_accumulation_steps: {accumulation}
lr_encoder: 1.0e-3
lr_head: 5.0e-3
precision: fp32
augment: true
drop_text: 0.1
drop_image: 0.1
"""
# What transformers, accelerate and torch warn about between themselves.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_table(tmp_path_factory.mktemp("table"))


def recipe_file(folder: Path, epochs: int = 4, accumulation: int = 1) -> Path:
    path = folder / f"{epochs}-{accumulation}.yaml"
    path.write_text(SETTINGS.format(epochs=epochs, accumulation=accumulation))
    return path


def recipe_of(**settings: Any) -> Recipe:
    return tiny_training.recipe_of(**{**SHORT_RUN, "labels": LABELS, **settings})


def command(recipe: Path, table: Path, out: Path, *options: str) -> list[str]:
    return ["-m", "crossguard", "train", str(recipe), "--data", str(table), "-o", str(out), *options]


def losses(run: Path) -> list[float]:
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [entry["loss"] for entry in entries if entry["kind"] == "train"]


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def test_a_killed_run_goes_on_exactly(table: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, epochs=60)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, *command(recipe, table, killed, "--save-every", "5")], env=one_thread())
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not (killed / "state.pt").is_file():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    progress = torch.load(killed / "state.pt", weights_only=True)["progress"]
    assert 0 < progress["total_steps"] < 60 * 8
    assert progress["step"] > 0  # in the middle of an epoch

    subprocess.run([sys.executable, *command(recipe, table, killed, "--resume")], env=one_thread(), check=True)
    subprocess.run([sys.executable, *command(recipe, table, whole)], env=one_thread(), check=True)

    resumed, expected = load_file(killed / "model.safetensors"), load_file(whole / "model.safetensors")
    assert all(torch.equal(resumed[name], weight) for name, weight in expected.items())


def test_two_processes_learn_what_one_learns(table: Path, tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    one, two = recipe_file(tmp_path, accumulation=2), recipe_file(tmp_path, accumulation=1)
    subprocess.run([sys.executable, *command(one, table, alone)], env=one_thread(), check=True)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29631"]
    done = subprocess.run(
        [*launch, *command(two, table, shared)], env=one_thread(), check=True, capture_output=True, text=True
    )
    assert "2 processes: a step adds the gradients of up to 16 posts" in done.stderr
    assert losses(shared) == pytest.approx(losses(alone), abs=1e-4)
    weights = load_file(shared / "model.safetensors"), load_file(alone / "model.safetensors")
    assert all(torch.allclose(weights[0][name], weight, atol=1e-3) for name, weight in weights[1].items())


@pytest.mark.parametrize("kind", [("clip", "fusion"), ("siglip", "mtl"), ("compact", "fusion")], ids="-".join)
def test_train_export_and_score(kind: tuple[str, str], table: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "bundle"
    rates = {"lr_encoder": 3e-3, "lr_head": 3e-3, "lr_scheduler_type": "constant"}
    recipe = recipe_of(backend=kind[0], head=kind[1], num_train_epochs=12, per_device_train_batch_size=8, **rates)
    measures = train(recipe, table, run)
    assert measures["roc_auc/tiny/racist"] > 0.9
    files = {"model.safetensors", "config.json", "inference_config.json", "label_map.json", "val_report.json"}
    assert files <= {path.name for path in run.iterdir()}

    with pytest.raises(ConfigError, match="needs a policy 'default'"):
        export_bundle(run, out, ExportPlan("tiny", policies=[PolicyPlan("other", "labels", (run,))]))
    export_bundle(run, out, ExportPlan("tiny", policies=[PolicyPlan("default", "labels", (run,))]))
    moderator = crossguard.load(out)
    noise = np.random.default_rng(0).integers(0, 100, size=(40, 50, 3))
    bright, dark = (noise + 120).astype(np.uint8), noise.astype(np.uint8)
    hateful = moderator.score(text="awful abc", image=bright)
    assert tuple(hateful.labels) == LABELS
    assert hateful.scores["racist"] > moderator.score(text="lovely abc", image=dark).scores["racist"]
    assert moderator.score(image=dark).text_weight == 0


def test_missing_pictures_stop_a_run(tmp_path: Path) -> None:
    table = write_tiny_table(tmp_path / "table")
    for number in range(0, 60, 2):
        (tmp_path / "table" / f"{number}.png").unlink(missing_ok=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        train(recipe_of(), table, tmp_path / "run")
    train(recipe_of(max_missing_images=1.0, num_train_epochs=1), table, tmp_path / "run")


def test_a_run_is_not_resumed_on_another_table(table: Path, tmp_path: Path) -> None:
    train(recipe_of(num_train_epochs=1), table, tmp_path / "run")
    other = write_tiny_table(tmp_path / "other", 80)
    with pytest.raises(ConfigError, match="other posts, labels or images"):
        train(recipe_of(num_train_epochs=1), other, tmp_path / "run", resume=True)


def test_what_prepare_lost_counts_among_the_missing_images(tmp_path: Path) -> None:
    rows = [Row(str(number), f"text {number}", labels={"racist": number % 2}) for number in range(9)]
    write_table(rows, LABELS, "t", tmp_path / "a.parquet", {"train": 9})
    with pytest.raises(ConfigError, match=r"9 of 9 images of 'a' cannot be read.*when the table was prepared"):
        train(recipe_of(), tmp_path / "a.parquet", tmp_path / "run")


@pytest.mark.parametrize("sources", [{"tiny": {"cross_validate": True, "label_schemes": {"labels": "votes"}}}, {}])
def test_folds_share_out_the_posts_and_known_copies_are_not_trained_on(sources: dict[str, Any], table: Path) -> None:
    recipe = recipe_of(sources=sources)
    held: list[str] = []
    for index in range(4):
        trained, measured = read_examples(recipe, table.parent if sources else table, Fold(index, 4))
        assert not {text for text, _ in trained.words if text} & {text for text, _ in measured.words}
        held.extend(measured.ids)
    assert sorted(held, key=int) == [str(number) for number in range(64)]


def test_a_run_that_nothing_measures_says_so_before_it_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.csv").write_text("id,text,racist\n" + "".join(f"{n},text {n},{n % 2}\n" for n in range(20)))
    train(recipe_of(num_train_epochs=1, labels=("racist",)), tmp_path / "mine.csv", tmp_path / "run")
    (told,) = (record.message for record in caplog.records if "held out" in record.message)
    assert "--fold 0/5" in told
    caplog.clear()
    train(recipe_of(num_train_epochs=1, labels=("racist",)), tmp_path / "mine.csv", tmp_path / "fold", fold=Fold(0, 5))
    assert not any("held out" in record.message for record in caplog.records)
