"""Real memes, end to end, as a person types it: prepare, train, export, calibrate, evaluate, score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import pyarrow as pa
import pyarrow.parquet as pq

from crossguard.cli import run

TRAINED, HELD = 64, 40
# What transformers, torch and the ONNX exporter warn about between themselves.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def table(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the prepared memes."""
    folder = tmp_path_factory.mktemp("harmeme")
    assert run(["prepare", "harmeme", str(shared_data / "harmeme"), "-o", str(folder / "all.parquet")]) == 0
    whole = pq.read_table(folder / "all.parquet").to_pylist()
    parts = [[row for row in whole if row["split"] == split] for split in ("train", "val")]
    pq.write_table(pa.Table.from_pylist(parts[0][:TRAINED] + parts[1][:HELD]), folder / "part.parquet")
    return folder / "part.parquet"


@pytest.mark.parametrize("recipe", ["clip-fusion", "siglip2-mtl"])
def test_from_raw_memes_to_scores(
    recipe: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    trained, model, policy = (str(tmp_path / name) for name in ("run", "model", "policy.yaml"))
    settings = {"encoder_name": "tiny", "labels": "[harm]", "image_size": 32, "fusion_dim": 16, "precision": "fp32"}
    settings |= {"num_train_epochs": 2, "lr_encoder": 1e-3, "gradient_accumulation_steps": 1}
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    assert run(["train", recipe, "--data", str(table), "-o", trained, *options]) == 0
    assert run(["export", trained, model, "--name", "memes", "--policy", f"default=labels:{trained}"]) == 0
    fit = ["--split", "val", "--rounds", "0", "--out", policy, "--calibration", "temperature"]
    assert run(["calibrate", str(table), "--model", model, *fit]) == 0
    capsys.readouterr()
    measure = ["--split", "val", "--rounds", "0", "--policy", policy, "--json"]
    assert run(["evaluate", str(table), "--model", model, *measure]) == 0
    assert "harm" in capsys.readouterr().out
    assert run(["score", str(table), "--model", model, "-o", str(tmp_path / "scores.jsonl")]) == 0
    scores = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(scores) == TRAINED + HELD
    assert {row["status"] for row in scores} == {"scored"}
    assert all(0 < row["modality_weights"]["image"] < 1 for row in scores)
