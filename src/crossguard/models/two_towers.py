"""CLIP and SigLIP as Hugging Face transformers has them: any checkpoint of either."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from typing_extensions import override

from .backbone import Backbone, Widths


class TwoTowers(Backbone):
    """What both share: two towers without attention masks, with one configuration."""

    reads_attention_mask = False

    # Of transformers: the configuration, the model, and what reads pretrained weights
    classes: tuple[str, str, str]

    @override
    def build(self, encoder: dict[str, Any]) -> nn.Module:
        config, model, _ = self._classes()
        module: nn.Module = model(config.from_dict(encoder))
        return module

    @override
    def load(self, source: str) -> nn.Module:
        module: nn.Module = self._classes()[2].from_pretrained(source)
        return module

    def _classes(self) -> list[Any]:
        import transformers

        return [getattr(transformers, name) for name in self.classes]

    @override
    def describe(self, module: nn.Module) -> dict[str, Any]:
        config: Any = module.config
        described: dict[str, Any] = config.to_diff_dict()
        return described

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
    def text_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower: Any = holder.text_model
        return [tower.embeddings, *tower.encoder.layers]

    @override
    def image_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower: Any = holder.vision_model
        return [tower.embeddings, *tower.encoder.layers]


class ClipBackbone(TwoTowers):
    """CLIP (Radford et al., ICML 2021): pooled at the end token, projected into one space."""

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


class SiglipBackbone(TwoTowers):
    """SigLIP, or a fixed-resolution SigLIP2 (Zhai et al., ICCV 2023): towers pool into one space.

    Texts are padded to 64 tokens and never masked, because it was trained so.
    """

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
