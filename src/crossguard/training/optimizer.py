"""AdamW with the learning rates that a recipe names, and how they rise and fall."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.utils.checkpoint import checkpoint

from crossguard.errors import ConfigError
from crossguard.models.gated import GatedModel
from crossguard.training.recipe import Recipe


def freeze(model: GatedModel, recipe: Recipe) -> None:
    """Stops the training of what the recipe freezes."""
    wholes = (recipe.freeze_text, recipe.freeze_image)
    counts = (recipe.freeze_text_layers, recipe.freeze_image_layers)
    for (parts, layers), whole, count in zip(_towers(model), wholes, counts, strict=True):
        for module in parts if whole else layers[:count]:
            module.requires_grad_(requires_grad=False)


def _towers(model: GatedModel) -> list[tuple[list[nn.Module], list[nn.Module]]]:
    """Returns of text and image the encoder with the projection that it may have, and its layers, first to last."""
    text, image = model.holders()
    names = ("text_model", "text_projection"), ("vision_model", "visual_projection")
    found = [
        [part for name in own if isinstance(part := getattr(holder, name, None), nn.Module)]
        for holder, own in zip((text, image), names, strict=True)
    ]
    layers = model.architecture.text_layers(text), model.architecture.image_layers(image)
    return list(zip(found, layers, strict=True))


def set_dropout(model: GatedModel, recipe: Recipe) -> None:
    """Sets the dropout of the text encoder, where the recipe says one.

    Raises:
        ConfigError: The encoder has none there.
    """
    embeddings, *layers = model.architecture.text_layers(model.holders()[0])
    _set_dropout([embeddings], "embedding_dropout", recipe.embedding_dropout)
    _set_dropout(layers, "encoder_dropout", recipe.encoder_dropout)


def _set_dropout(parts: list[nn.Module], setting: str, rate: float | None) -> None:
    modules: list[Any] = [module for part in parts for module in part.modules()]
    dropouts = [module for module in modules if isinstance(module, nn.Dropout)]
    attentions = [module for module in modules if isinstance(getattr(module, "dropout", None), float)]  # CLIP's
    if rate and not (dropouts or attentions):
        raise ConfigError(f"The text encoder has no dropout that {setting} could set. Use: --set {setting}=null")
    if rate is not None:
        for module in dropouts:
            module.p = rate
        for module in attentions:
            module.dropout = rate


def choose_attention(model: GatedModel, device: str) -> None:
    """On a processor, takes the plain attention: with a mask and bf16, forward and backward take a third less time."""
    tower: Any = model.holders()[0].text_model
    if device == "cpu" and hasattr(tower, "set_attn_implementation"):
        tower.set_attn_implementation("eager")


def checkpoint_gradients(model: GatedModel) -> None:
    """Makes the towers compute activations again in the backward pass: less memory, more time.

    Every layer is wrapped, in place of the libraries' own switches, whose names differ between their versions.
    """
    for layer in (layer for _, layers in _towers(model) for layer in layers):
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)


def build_optimizer(model: GatedModel, recipe: Recipe) -> AdamW:
    """Groups the trained weights by learning rate and decay; a group is named after the setting of its rate.

    With a layer decay, the groups of the encoders' layers also have their distance from the last one in the name.
    """
    depths = _depths(model)
    groups: dict[tuple[int | None, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = recipe.weight_decay if parameter.ndim > 1 and "embedding" not in name else 0.0
            depth = depths.get(parameter)
            groups[0 if depth and recipe.layer_decay == 1 else depth, decay].append(parameter)
    settings = []
    for (depth, decay), parameters in groups.items():
        name = "lr_head" if depth is None else f"lr_encoder-{depth}" if depth else "lr_encoder"
        rate = recipe.lr_head if depth is None else recipe.lr_encoder * recipe.layer_decay**depth
        settings.append({"params": parameters, "lr": rate, "weight_decay": decay, "name": name})
    return AdamW(settings, betas=(0.9, recipe.adam_beta2), fused=True)


def _depths(model: GatedModel) -> dict[nn.Parameter, int]:
    """Returns of every weight of the encoders how many layers are behind its own; 0 outside of the layers."""
    depths: dict[nn.Parameter, int] = {}
    for parts, layers in _towers(model):
        depths |= dict.fromkeys((weight for part in parts for weight in part.parameters()), 0)
        for depth, layer in enumerate(reversed(layers)):
            depths |= dict.fromkeys(layer.parameters(), depth)
    return depths


def learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """Returns the current learning rate of every group of weights, by the name that the log has for it."""
    return {group["name"]: float(group["lr"]) for group in optimizer.param_groups}


def rate_factor(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """Returns the factor on the learning rates by step: they rise over `warmup_ratio` of the steps, and then fall.

    Not transformers' schedules: theirs begin at a rate of zero, so that the first step learns nothing.
    """
    warmup = round(recipe.warmup_ratio * steps)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, steps - warmup)
        if recipe.lr_scheduler_type == "constant":
            return 1.0
        if recipe.lr_scheduler_type == "linear":
            return max(0.0, 1.0 - progress)
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))

    return factor
