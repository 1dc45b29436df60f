"""CLIP: its pooled token, and one space for both towers."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models.clip import ClipBackbone


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
