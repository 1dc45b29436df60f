"""The reference implementation's checkpoints load, and give what it gave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from safetensors.torch import load_file

from crossguard.models.loading import load_checkpoint

CHECKPOINTS = ("clip_fusion", "clip_fusion_focal", "clip_mtl", "clip_mtl_linear", "siglip_fusion")
TOLERANCE = 1e-5


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_logits_and_loss_of_all_presence_patterns(shared_data: Path, name: str) -> None:
    folder = shared_data / "reference_checkpoints" / name
    inputs, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    patterns = set(zip(inputs["text_present"].tolist(), inputs["image_present"].tolist(), strict=True))
    assert patterns == {(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)}

    model = load_checkpoint(folder).model
    with torch.no_grad():
        actual = model(**inputs)

    assert (actual["logits"] - expected["logits"]).abs().max() < TOLERANCE
    assert abs(actual["loss"].item() - expected["loss"].item()) < TOLERANCE


@pytest.mark.parametrize("name", ["clip_fusion", "siglip_fusion"])
def test_encoders_load_by_folder_with_the_same_weights_as_the_checkpoint(shared_data: Path, name: str) -> None:
    from crossguard.models.building import BACKBONES

    folder = shared_data / "reference_checkpoints" / name
    encoders = BACKBONES[name.removesuffix("_fusion")].load(str(folder / "encoder"))
    assert set(encoders.state_dict()) == {
        key.removeprefix("backbone.") for key in load_file(folder / "model.safetensors") if key.startswith("backbone.")
    }
