"""The `fusion` head of the model cards."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.fusion import FusionModel
from crossguard.models.gated import Gated


def model_of(num_outputs: int = 5) -> FusionModel:
    torch.manual_seed(0)
    model = tiny(ModelConfig("clip", "fusion", num_outputs, fusion_dim=8)).eval()
    assert isinstance(model, FusionModel)
    return model


def test_features_have_length_one() -> None:
    model = model_of()
    with torch.no_grad():
        text = model.text_features(torch.tensor([[97, 5, 98]]), None)
        image = model.image_features(torch.randn(1, 3, 32, 32))
    assert torch.allclose(torch.cat([text.norm(dim=1), image.norm(dim=1)]), torch.ones(2), atol=1e-5)


def test_the_classifier_reads_difference_and_product_of_both() -> None:
    model = model_of(num_outputs=3)
    text, image, fused = torch.randn(3, 2, 8).unbind()
    seen: list[torch.Tensor] = []
    model.cls.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        assert model.classify(Gated(text, image, fused, torch.ones(2))).shape == (2, 3)
    parts = torch.chunk(seen[0], 5, dim=1)
    for part, expected in zip(parts[1:], (text, image, (text - image).abs(), text * image), strict=True):
        assert torch.equal(part, expected)


def test_unknown_labels_count_as_no_loss() -> None:
    losses, known = torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert model_of().reduce(losses, known) == torch.tensor(8.0 / 4)


def test_only_the_last_layer_depends_on_the_number_of_outputs() -> None:
    one, other = (model_of(num_outputs=n).state_dict() for n in (2, 5))
    changed = {name for name in one if one[name].shape != other[name].shape}
    assert changed == {name for name in one if name.startswith(FusionModel.output_weights)}
