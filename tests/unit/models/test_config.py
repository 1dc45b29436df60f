"""What a `config.json` holds."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

from crossguard.models.config import ModelConfig
from crossguard.models.loading import model_config


def test_a_configuration_is_json_and_back() -> None:
    config = ModelConfig("compact", "mtl", 10, 64, 6, learnable_task_weights=True, encoder={"text_config": {"a": [1]}})
    stored = json.loads(json.dumps(config.to_dict()))
    assert set(stored) == {field.name for field in fields(ModelConfig)}
    assert ModelConfig(**stored) == config


def test_what_a_published_checkpoint_leaves_out_is_what_the_reference_does(tmp_path: Path) -> None:
    inference = {"class_names": ["a", "b"], "thresholds": [0.5, 0.5], "encoder_name": "x", "encoder": {"b": 1}}
    assert model_config(inference, tmp_path) == ModelConfig("clip", num_outputs=2, encoder_name="x", encoder={"b": 1})


def test_this_projects_own_file_counts_more_and_what_is_unknown_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"head": "mtl", "num_outputs": 4, "model_type": "crossguard"}))
    inference = {"class_names": ["a", "b"], "head": "fusion", "backend": "compact", "encoder": {"b": 1}}
    found = model_config(inference, tmp_path)
    assert (found.backend, found.head, found.num_outputs) == ("compact", "mtl", 4)
