"""What holds for every pair of encoders."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from torch import nn

from crossguard.models.backbone import Backbone
from crossguard.models.building import BACKBONES
from crossguard.models.two_towers import TwoTowers

ALL = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)


def encoders(backbone: Backbone) -> nn.Module:
    torch.manual_seed(0)
    return backbone.build(backbone.tiny()).eval()


def posts(backbone: Backbone, n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 90, (n, 9 if backbone.trims_padding else backbone.text_length), generator=generator)
    ids[:, -1] = 98
    return ids, torch.randn(n, 3, 32, 32, generator=generator)


@ALL
def test_features_are_as_wide_as_it_says(backbone: Backbone) -> None:
    module = encoders(backbone)
    ids, pixels = posts(backbone)
    with torch.no_grad():
        pooled = backbone.pool_text(module, ids, None), backbone.pool_image(module, pixels)
        embedded = backbone.embed_text(module, ids, None), backbone.embed_image(module, pixels)
    widths = backbone.pooled(module)
    assert [tuple(each.shape) for each in pooled] == [(3, widths.text), (3, widths.image)]
    widths = backbone.embedded(module)
    assert [tuple(each.shape) for each in embedded] == [(3, widths.text), (3, widths.image)]


@ALL
def test_its_description_rebuilds_it(backbone: Backbone) -> None:
    module = encoders(backbone)
    again = backbone.build(backbone.describe(module)).eval()
    again.load_state_dict(module.state_dict())
    ids, pixels = posts(backbone)
    with torch.no_grad():
        assert torch.equal(backbone.pool_text(again, ids, None), backbone.pool_text(module, ids, None))
        assert torch.equal(backbone.pool_image(again, pixels), backbone.pool_image(module, pixels))


@ALL
def test_layers_hold_different_weights_and_come_from_the_first_to_the_last(backbone: Backbone) -> None:
    module = encoders(backbone)
    for layers, tower in (
        (backbone.text_layers(module), "text_model"),
        (backbone.image_layers(module), "vision_model"),
    ):
        known = {id(weight) for weight in module.get_submodule(tower).parameters()}
        found = [id(weight) for layer in layers for weight in layer.parameters()]
        assert len(set(found)) == len(found)
        assert set(found) <= known
        order = {id(weight): place for place, weight in enumerate(module.get_submodule(tower).parameters())}
        firsts = [order[next(id(weight) for weight in layer.parameters())] for layer in layers]
        assert firsts == sorted(firsts)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_two_towers_look_at_no_mask(name: str) -> None:
    backbone = BACKBONES[name]
    assert isinstance(backbone, TwoTowers)
    assert not backbone.reads_attention_mask
    module, (ids, _) = encoders(backbone), posts(backbone)
    with torch.no_grad():
        masked = backbone.pool_text(module, ids, torch.zeros_like(ids))
        assert torch.equal(masked, backbone.pool_text(module, ids, None))
