"""Any SigLIP or fixed-resolution SigLIP2 of Hugging Face transformers (Zhai et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from .backbone import Backbone, Widths


class SiglipBackbone(Backbone):
    """SigLIP: texts padded to 64 tokens and never masked, because it was trained so; towers pool into one space."""

    name = "siglip"
    reads_attention_mask = False
    trims_padding = False
    text_length = 64
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    @override
    def build(self, encoder: dict[str, Any]) -> nn.Module:
        from transformers import SiglipConfig, SiglipModel

        module: nn.Module = SiglipModel(SiglipConfig.from_dict(encoder))
        return module

    @override
    def load(self, source: str) -> nn.Module:
        from transformers import AutoModel

        # The SigLIP2 checkpoints of a fixed resolution name the SigLIP architecture in their config.json.
        module: nn.Module = AutoModel.from_pretrained(source)
        return module

    @override
    def describe(self, module: nn.Module) -> dict[str, Any]:
        config: Any = module.config
        described: dict[str, Any] = config.to_diff_dict()
        return described

    @override
    def tiny(self) -> dict[str, Any]:
        tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        tokens = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1}
        return {
            "text_config": {**tower, **tokens, "vocab_size": 99, "max_position_embeddings": 64},
            "vision_config": {**tower, "image_size": 32, "patch_size": 8},
        }

    @override
    def pool_text(self, holder: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        tower: Any = holder.text_model
        pooled: Tensor = tower(input_ids=input_ids).pooler_output
        return pooled

    @override
    def pool_image(self, holder: nn.Module, pixel_values: Tensor) -> Tensor:
        tower: Any = holder.vision_model
        pooled: Tensor = tower(pixel_values=pixel_values).pooler_output
        return pooled

    @override
    def embed_text(self, module: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        return self.pool_text(module, input_ids, attention_mask)

    @override
    def embed_image(self, module: nn.Module, pixel_values: Tensor) -> Tensor:
        return self.pool_image(module, pixel_values)

    @override
    def pooled(self, module: nn.Module) -> Widths:
        config: Any = module.config
        text = config.text_config
        return Widths(getattr(text, "projection_size", None) or text.hidden_size, config.vision_config.hidden_size)

    @override
    def embedded(self, module: nn.Module) -> Widths:
        return self.pooled(module)

    @override
    def text_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower: Any = holder.text_model
        return [tower.embeddings, *tower.encoder.layers]

    @override
    def image_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower: Any = holder.vision_model
        return [tower.embeddings, *tower.encoder.layers]
