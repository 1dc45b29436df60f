"""What an export reads of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")

from crossguard.errors import BundleError
from crossguard.export.source import open_checkpoint, public_name
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import save_model


@pytest.mark.parametrize(
    ("name", "public"),
    [("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"), ("./here", "here"), ("~/models/mine", "mine")],
)
def test_an_encoder_is_named_without_the_folders_of_this_machine(name: str, public: str) -> None:
    assert public_name(name) == public


def test_a_folder_that_is_here_is_an_encoder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "team" / "clip").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert [public_name("team/clip"), public_name("other/clip")] == ["clip", "other/clip"]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        open_checkpoint(tmp_path)


def test_of_runs_that_cannot_be_averaged_the_one_that_differs_is_named(tmp_path: Path) -> None:
    for name, labels in (("a", ["racist"]), ("b", ["sexist"])):
        save_model(tiny(ModelConfig("clip", num_outputs=1, fusion_dim=8)), tmp_path / name)
        stored = {"class_names": labels, "thresholds": [0.5]}
        (tmp_path / name / "inference_config.json").write_text(json.dumps(stored))
    with pytest.raises(BundleError, match=r"a cannot be averaged with .*b: .*b predicts \[sexist\].*\[racist\]"):
        open_checkpoint(tmp_path / "a", (tmp_path / "b",))
