"""One binary head per label over shared fused features: the `mtl` head of the model cards."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from .backbone import Backbone
from .config import ModelConfig
from .gated import Gated, GatedModel
from .losses import masked_mean

SHARED_DROPOUT = 0.2
HEAD_DROPOUT = 0.1


class Tower(nn.Module):
    """Holds an encoder under its published name, `text_model` or `vision_model`."""

    def __init__(self, backbone: nn.Module, name: str) -> None:
        super().__init__()
        self.add_module(name, backbone.get_submodule(name))


class MultiTaskModel(GatedModel):
    """Pooled tower outputs as they are, gated, through a shared layer into one head per output.

    With learnable weights a task's loss L counts as `exp(-s) * L + 0.5 * s` (Kendall et al., CVPR 2018).
    """

    masks_absent = False
    output_weights = ("heads.", "log_vars")

    def __init__(self, config: ModelConfig, architecture: Backbone, backbone: nn.Module) -> None:
        super().__init__(config, architecture, architecture.pooled(backbone))
        dim = config.fusion_dim
        self.tower_txt = Tower(backbone, "text_model")
        self.tower_img = Tower(backbone, "vision_model")
        self.shared_head = nn.Sequential(
            nn.Dropout(SHARED_DROPOUT), nn.Linear(dim, dim), nn.GELU(), nn.Dropout(SHARED_DROPOUT)
        )
        self.heads = nn.ModuleList(_head(dim, config.head_hidden_dim) for _ in range(config.num_outputs))
        weighted = config.learnable_task_weights
        self.log_vars = nn.Parameter(torch.zeros(config.num_outputs)) if weighted else None

    @override
    def text_features(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return self.architecture.pool_text(self.tower_txt, input_ids, attention_mask)

    @override
    def image_features(self, pixel_values: Tensor) -> Tensor:
        return self.architecture.pool_image(self.tower_img, pixel_values)

    @override
    def classify(self, gated: Gated) -> Tensor:
        shared = self.shared_head(gated.fused)
        return torch.cat([head(shared) for head in self.heads], dim=1)

    @override
    def reduce(self, losses: Tensor, weights: Tensor) -> Tensor:
        tasks = masked_mean(losses, weights)
        if self.log_vars is not None:
            tasks = torch.exp(-self.log_vars) * tasks + 0.5 * self.log_vars
        return tasks.mean()

    @override
    def holders(self) -> tuple[nn.Module, nn.Module]:
        return self.tower_txt, self.tower_img


def _head(dim: int, hidden: int) -> nn.Module:
    if not hidden:
        return nn.Linear(dim, 1)
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(HEAD_DROPOUT), nn.Linear(hidden, 1))
