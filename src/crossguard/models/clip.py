"""Any CLIP of Hugging Face transformers (Radford et al., ICML 2021)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from .backbone import TwoTowers, Widths


class ClipBackbone(TwoTowers):
    """CLIP: pooled at the end token, projected into one space."""

    name = "clip"
    classes = ("CLIPConfig", "CLIPModel", "CLIPModel")
    # Attention is causal and the pooled token is the first end token, so what follows it cannot change the features.
    trims_padding = True
    text_length = 77
    mean = (0.48145466, 0.4578275, 0.40821073)
    std = (0.26862954, 0.26130258, 0.27577711)

    @override
    def tiny(self) -> dict[str, Any]:
        text = {"vocab_size": 99, "bos_token_id": 97, "eos_token_id": 98, "pad_token_id": 98}
        text |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        vision = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
        return {
            "projection_dim": 24,
            "text_config": {**text, "max_position_embeddings": 77, "projection_dim": 24},
            "vision_config": {**vision, "image_size": 32, "patch_size": 8, "projection_dim": 24},
        }

    @override
    def embed_text(self, module: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        projection: Any = module.text_projection
        embedded: Tensor = projection(self.pool_text(module, input_ids, attention_mask))
        return embedded

    @override
    def embed_image(self, module: nn.Module, pixel_values: Tensor) -> Tensor:
        projection: Any = module.visual_projection
        embedded: Tensor = projection(self.pool_image(module, pixel_values))
        return embedded

    @override
    def pooled(self, module: nn.Module) -> Widths:
        config: Any = module.config
        return Widths(config.text_config.hidden_size, config.vision_config.hidden_size)

    @override
    def embedded(self, module: nn.Module) -> Widths:
        config: Any = module.config
        return Widths(config.projection_dim, config.projection_dim)
