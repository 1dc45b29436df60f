"""Recipes, models and batches that train in a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel
from crossguard.training.batches import Tensors
from crossguard.training.recipe import Recipe

KINDS = [(backend, head) for backend in ("clip", "siglip", "compact") for head in ("fusion", "mtl")]
TARGETS = np.array([[1, 0, 0, 0, 0]] + [[0, 1, 0, 0, 0]] * 3 + [[0, 0, 0, 0, 0]] * 6, dtype=np.float32)
# A run of two epochs that already lowers its loss.
SHORT_RUN: dict[str, Any] = {
    "max_text_length": 64,
    "num_train_epochs": 2,
    "per_device_train_batch_size": 16,
    "lr_encoder": 1e-3,
    "lr_head": 5e-3,
    "precision": "fp32",
}


def recipe_of(backend: str = "compact", head: str = "fusion", **settings: Any) -> Recipe:
    length = 64 if backend == "siglip" else 77
    base: dict[str, Any] = {"backend": backend, "head": head, "encoder_name": "tiny", "fusion_dim": 16}
    base["image_size"] = 32
    return Recipe(**{**base, "max_text_length": length, **settings})


def model_of(recipe: Recipe) -> GatedModel:
    torch.manual_seed(0)
    return tiny(ModelConfig(recipe.backend, recipe.head, recipe.num_outputs, recipe.fusion_dim))


def batch_of(recipe: Recipe, n: int = 4) -> Tensors:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 90, (n, 64 if recipe.backend == "siglip" else 8), generator=generator)
    ids[:, -1] = 98
    return Tensors(
        ids,
        torch.ones_like(ids),
        torch.randint(0, 256, (n, 32, 32, 3), dtype=torch.uint8, generator=generator),
        None,
        torch.ones(n),
        torch.ones(n),
        torch.from_numpy(TARGETS[:n]),
        torch.from_numpy(TARGETS[:n].max(axis=1, keepdims=True)),
        torch.ones(n, recipe.num_outputs),
    )
