"""From a configuration to a model."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from torch import nn

from crossguard import models
from crossguard.models.backbone import Backbone
from crossguard.models.building import BACKBONES, HEADS, build, from_pretrained_encoder, tiny
from crossguard.models.config import ModelConfig


def test_every_backbone_of_the_package_is_registered() -> None:
    modules = [
        importlib.import_module(f"crossguard.models.{entry.name}") for entry in pkgutil.iter_modules(models.__path__)
    ]
    made = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)}
    concrete = {kind for kind in made if issubclass(kind, Backbone) and not inspect.isabstract(kind)}
    assert {type(backbone) for backbone in BACKBONES.values()} == concrete


def test_each_is_found_by_its_name() -> None:
    assert all(name == backbone.name for name, backbone in BACKBONES.items())


KINDS = [(backend, head) for backend in BACKBONES for head in HEADS]


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_what_a_model_says_of_itself_rebuilds_it(backend: str, head: str) -> None:
    model = tiny(ModelConfig(backend, head, num_outputs=3, fusion_dim=8))
    assert isinstance(model, HEADS[head])
    assert model.config.encoder, "the encoder's own configuration is part of it"
    again = build(model.config)
    assert again.config == model.config
    assert {name: weight.shape for name, weight in again.state_dict().items()} == {
        name: weight.shape for name, weight in model.state_dict().items()
    }


def test_pretrained_encoders_come_with_a_new_head(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = BACKBONES["compact"]
    torch.manual_seed(0)
    encoders = backbone.build(backbone.tiny())
    asked: list[str] = []

    def load(source: str) -> nn.Module:
        asked.append(source)
        return encoders

    monkeypatch.setattr(backbone, "load", load)
    model = from_pretrained_encoder(ModelConfig("compact", num_outputs=2, fusion_dim=8, encoder_name="somewhere/else"))
    assert asked == ["somewhere/else"]
    assert model.config.encoder == backbone.describe(encoders)
    assert model.holders()[0].get_submodule("text_model") is encoders.get_submodule("text_model")


def test_a_backbone_or_head_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="blip"):
        build(ModelConfig("blip"))
    with pytest.raises(KeyError, match="late"):
        tiny(ModelConfig("compact", "late"))
