"""Gated late fusion with interaction features: the `fusion` head of the model cards."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from .backbone import Backbone
from .config import ModelConfig
from .gated import Gated, GatedModel

DROPOUT = 0.2


class FusionModel(GatedModel):
    """L2-normalised embeddings, gated, with their difference and product, into one classifier."""

    masks_absent = True
    output_weights = ("cls.4.",)

    def __init__(self, config: ModelConfig, architecture: Backbone, backbone: nn.Module) -> None:
        super().__init__(config, architecture, architecture.embedded(backbone))
        dim = config.fusion_dim
        self.backbone = backbone
        self.ln_fused = nn.LayerNorm(dim)
        self.cls = nn.Sequential(
            nn.LayerNorm(5 * dim),
            nn.Linear(5 * dim, dim),
            nn.GELU(),
            nn.Dropout(DROPOUT),
            nn.Linear(dim, config.num_outputs),
        )

    @override
    def text_features(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return functional.normalize(self.architecture.embed_text(self.backbone, input_ids, attention_mask), dim=-1)

    @override
    def image_features(self, pixel_values: Tensor) -> Tensor:
        return functional.normalize(self.architecture.embed_image(self.backbone, pixel_values), dim=-1)

    @override
    def classify(self, gated: Gated) -> Tensor:
        t, v = gated.text, gated.image
        logits: Tensor = self.cls(torch.cat([self.ln_fused(gated.fused), t, v, (t - v).abs(), t * v], dim=1))
        return logits

    @override
    def reduce(self, losses: Tensor, weights: Tensor) -> Tensor:
        # Unknown labels count as zero: a post with one known label must not weigh as much as one with all.
        return (losses * weights).mean()

    @override
    def holders(self) -> tuple[nn.Module, nn.Module]:
        return self.backbone, self.backbone
