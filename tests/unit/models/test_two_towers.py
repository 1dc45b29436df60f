"""CLIP and SigLIP: what padding does, and that both towers share one space."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models.two_towers import ClipBackbone, SiglipBackbone


def test_what_follows_the_end_token_changes_nothing() -> None:
    backbone = ClipBackbone()
    assert backbone.trims_padding
    torch.manual_seed(0)
    module = backbone.build(backbone.tiny()).eval()
    ids = torch.tensor([[97, 5, 6, 98]])
    padded = torch.tensor([[97, 5, 6, 98, 98, 7, 98]])
    with torch.no_grad():
        assert torch.allclose(
            backbone.pool_text(module, ids, None), backbone.pool_text(module, padded, None), atol=1e-6
        )
        other = backbone.pool_text(module, torch.tensor([[97, 5, 7, 98]]), None)
    assert not torch.allclose(backbone.pool_text(module, ids, None), other, atol=1e-3)


def test_what_is_compared_is_what_transformers_compares() -> None:
    backbone = ClipBackbone()
    torch.manual_seed(0)
    module: Any = backbone.build(backbone.tiny()).eval()
    ids, pixels = torch.tensor([[97, 5, 6, 98]]), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found = module(input_ids=ids, pixel_values=pixels)
        text, image = backbone.embed_text(module, ids, None), backbone.embed_image(module, pixels)
    assert torch.allclose(torch.nn.functional.normalize(text, dim=-1), found.text_embeds, atol=1e-6)
    assert torch.allclose(torch.nn.functional.normalize(image, dim=-1), found.image_embeds, atol=1e-6)
    widths = backbone.pooled(module), backbone.embedded(module)
    assert [(each.text, each.image) for each in widths] == [(32, 48), (24, 24)]


def test_padding_is_part_of_a_text() -> None:
    backbone = SiglipBackbone()
    assert not backbone.trims_padding
    assert backbone.tiny()["text_config"]["max_position_embeddings"] == backbone.text_length
    torch.manual_seed(0)
    module = backbone.build(backbone.tiny()).eval()
    ids = torch.full((1, 64), 1)
    ids[0, :3] = torch.tensor([5, 6, 7])
    with torch.no_grad():
        short, long = backbone.pool_text(module, ids[:, :8], None), backbone.pool_text(module, ids, None)
    assert not torch.allclose(short, long, atol=1e-4)


def test_what_is_pooled_is_what_transformers_compares() -> None:
    backbone = SiglipBackbone()
    torch.manual_seed(0)
    module: Any = backbone.build(backbone.tiny()).eval()
    ids, pixels = torch.randint(3, 90, (2, 64)), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        found = module(input_ids=ids, pixel_values=pixels)
        text, image = backbone.embed_text(module, ids, None), backbone.embed_image(module, pixels)
    assert torch.allclose(torch.nn.functional.normalize(text, dim=-1), found.text_embeds, atol=1e-6)
    assert torch.allclose(torch.nn.functional.normalize(image, dim=-1), found.image_embeds, atol=1e-6)


def test_a_projection_of_another_width_counts() -> None:
    backbone = SiglipBackbone()
    described = backbone.tiny()
    described["text_config"]["projection_size"] = 40
    described["vision_config"] |= {"hidden_size": 40}
    widths = backbone.pooled(backbone.build(described))
    assert (widths.text, widths.image) == (40, 40)
