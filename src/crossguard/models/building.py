"""From a configuration to a model, with random or pretrained encoders."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from .backbone import Backbone
from .config import ModelConfig
from .fusion import FusionModel
from .gated import GatedModel
from .multitask import MultiTaskModel
from .registry import BACKBONES

HEADS: dict[str, type[FusionModel | MultiTaskModel]] = {"fusion": FusionModel, "mtl": MultiTaskModel}


def build(config: ModelConfig) -> GatedModel:
    """Builds a model with random weights from `config.encoder`."""
    architecture = BACKBONES[config.backend]
    return _assemble(config, architecture, architecture.build(config.encoder))


def from_pretrained_encoder(config: ModelConfig) -> GatedModel:
    """Builds a model with a random head on pretrained encoders, read from `config.encoder_name`."""
    architecture = BACKBONES[config.backend]
    return _assemble(config, architecture, architecture.load(config.encoder_name))


def tiny(config: ModelConfig) -> GatedModel:
    """Builds a model of the same kind, small enough to train in seconds, with random weights."""
    architecture = BACKBONES[config.backend]
    return _assemble(config, architecture, architecture.build(architecture.tiny()))


def _assemble(config: ModelConfig, architecture: Backbone, encoders: nn.Module) -> GatedModel:
    complete = replace(config, encoder=architecture.describe(encoders))
    return HEADS[config.head](complete, architecture, encoders)
