"""Backbones and heads by name, and models made of them. To add a backbone: a class, and a line."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from .backbone import Backbone
from .compact import CompactBackbone
from .config import ModelConfig
from .fusion import FusionModel
from .gated import GatedModel
from .multitask import MultiTaskModel
from .two_towers import ClipBackbone, SiglipBackbone

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone for backbone in (ClipBackbone(), SiglipBackbone(), CompactBackbone())
}
HEADS: dict[str, type[FusionModel | MultiTaskModel]] = {"fusion": FusionModel, "mtl": MultiTaskModel}


def build(config: ModelConfig) -> GatedModel:
    """Builds a model with random weights from `config.encoder`."""
    return _assemble(config, BACKBONES[config.backend].build(config.encoder))


def from_pretrained_encoder(config: ModelConfig) -> GatedModel:
    """Builds a model with a random head on pretrained encoders, read from `config.encoder_name`."""
    return _assemble(config, BACKBONES[config.backend].load(config.encoder_name))


def tiny(config: ModelConfig) -> GatedModel:
    """Builds a model of the same kind, small enough to train in seconds, with random weights."""
    return build(replace(config, encoder=BACKBONES[config.backend].tiny()))


def _assemble(config: ModelConfig, encoders: nn.Module) -> GatedModel:
    architecture = BACKBONES[config.backend]
    return HEADS[config.head](replace(config, encoder=architecture.describe(encoders)), architecture, encoders)
