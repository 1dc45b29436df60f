"""The `mtl` head of the model cards."""

from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from torch import nn

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.multitask import MultiTaskModel


def model_of(**settings: Any) -> MultiTaskModel:
    torch.manual_seed(0)
    model = tiny(ModelConfig("clip", "mtl", num_outputs=2, fusion_dim=8, **settings)).eval()
    assert isinstance(model, MultiTaskModel)
    return model


def test_a_task_is_averaged_over_the_posts_that_know_it() -> None:
    losses, known = torch.tensor([[1.0, 3.0], [5.0, 7.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert model_of().reduce(losses, known) == torch.tensor((3.0 + 7.0) / 2)


def test_learnt_weights_are_those_of_the_paper() -> None:
    model = model_of(learnable_task_weights=True)
    assert isinstance(model.log_vars, nn.Parameter)
    model.log_vars.data = torch.tensor([0.0, math.log(2.0)])
    loss = model.reduce(torch.tensor([[4.0, 6.0]]), torch.ones(1, 2))
    assert loss.item() == pytest.approx((4.0 + 6.0 / 2 + 0.5 * math.log(2.0)) / 2)
    assert model_of().log_vars is None


@pytest.mark.parametrize(("hidden", "layers"), [(0, 1), (6, 2)])
def test_each_output_has_a_head_of_its_own(hidden: int, layers: int) -> None:
    heads = model_of(head_hidden_dim=hidden).heads
    assert len(heads) == 2
    assert [sum(isinstance(part, nn.Linear) for part in head.modules()) for head in heads] == [layers, layers]


def test_towers_have_their_published_names() -> None:
    names = set(model_of().state_dict())
    assert any(name.startswith("tower_txt.text_model.") for name in names)
    assert any(name.startswith("tower_img.vision_model.") for name in names)
    assert not any("projection" in name for name in names), "pooled outputs are taken as they are"
