"""Any SigLIP or fixed-resolution SigLIP2 of Hugging Face transformers (Zhai et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from torch import nn
from typing_extensions import override

from .backbone import TwoTowers, Widths


class SiglipBackbone(TwoTowers):
    """SigLIP: texts padded to 64 tokens and never masked, because it was trained so; towers pool into one space."""

    name = "siglip"
    # The SigLIP2 checkpoints of a fixed resolution name the SigLIP architecture in their config.json.
    classes = ("SiglipConfig", "SiglipModel", "AutoModel")
    trims_padding = False
    text_length = 64
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    @override
    def tiny(self) -> dict[str, Any]:
        tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        tokens = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1}
        return {
            "text_config": {**tower, **tokens, "vocab_size": 99, "max_position_embeddings": 64},
            "vision_config": {**tower, "image_size": 32, "patch_size": 8},
        }

    @override
    def pooled(self, module: nn.Module) -> Widths:
        config: Any = module.config
        text = config.text_config
        return Widths(getattr(text, "projection_size", None) or text.hidden_size, config.vision_config.hidden_size)
