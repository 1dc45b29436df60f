"""Checkpoints on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import find_inference_config, find_weights, load_checkpoint, save_model


def test_the_newest_checkpoint_that_holds_weights_is_taken(tmp_path: Path) -> None:
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").touch()
    (tmp_path / "checkpoint-30").mkdir()
    assert find_weights(tmp_path).parent.name == "checkpoint-10"
    (tmp_path / "model.safetensors").touch()
    assert find_weights(tmp_path).parent == tmp_path


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no model.safetensors"):
        find_weights(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no inference_config.json"):
        find_inference_config(tmp_path / "below" / "it")


@pytest.mark.parametrize("size", [0, 4, 200])
def test_weights_that_were_cut_off_are_told(tmp_path: Path, size: int) -> None:
    save_model(tiny(ModelConfig("clip", num_outputs=1, fusion_dim=8)), tmp_path)
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": ["racist"], "thresholds": [0.5]}))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model.safetensors is broken or was cut off"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_from_before_the_renaming_of_label_schemes_is_refused(tmp_path: Path) -> None:
    save_model(tiny(ModelConfig("clip", num_outputs=2, fusion_dim=8)), tmp_path)
    stored = {"class_names": ["racist"], "thresholds": [0.5], "readouts": {"any": [0], "consensus": [1]}}
    (tmp_path / "inference_config.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="Rename that key"):
        load_checkpoint(tmp_path)
    stored["label_schemes"] = stored.pop("readouts")
    (tmp_path / "inference_config.json").write_text(json.dumps(stored))
    assert load_checkpoint(tmp_path).inference["label_schemes"] == {"any": [0], "consensus": [1]}
