"""Which numbers training computes in."""

from __future__ import annotations

from typing import Literal

import torch

from crossguard.training.recipe import Recipe


def mixed_precision(recipe: Recipe, device: str) -> Literal["no", "bf16", "fp16"]:
    """Returns what accelerate shall use: the recipe's wish, or what the device does well.

    fp16 needs a GPU; elsewhere it becomes what `auto` gives, because the gradients of fp16 need a scaler that only
    GPUs have.
    """
    if recipe.precision == "fp32":
        return "no"
    if recipe.precision == "bf16" or (recipe.precision == "fp16" and device == "cuda"):
        return "bf16" if recipe.precision == "bf16" else "fp16"
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if device == "cpu" and has_fast_bf16() else "no"


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices faster than float32 ones."""
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def precision_note(recipe: Recipe, chosen: str, device: str) -> str | None:
    """Returns what to tell a person when the run computes in other numbers than the recipe says."""
    if recipe.precision in {"auto", "fp32" if chosen == "no" else chosen}:
        return None
    name = "fp32" if chosen == "no" else chosen
    return f"precision: {recipe.precision} needs a CUDA GPU; this run computes in {name} on {device}."
