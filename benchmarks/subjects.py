"""The models that are measured: the shapes of the published ones with random weights, which take the same time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import CLIPConfig

from benchmarks.tokenizer import Specials, make_tokenizer
from crossguard.bundle import Bundle, write_manifest
from crossguard.export.onnx import export_graphs
from crossguard.export.weight_dtype import WeightDtype
from crossguard.labels import HATE
from crossguard.models.building import build
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec

MINILM_L6: Final = {
    "model_type": "bert",
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
CLIP_TEXT: Final = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
SIGLIP_BASE: Final = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
SIGLIP2_TEXT: Final = {
    **SIGLIP_BASE,
    "vocab_size": 256000,
    "max_position_embeddings": 64,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
FUSION_DIM: Final = 512
# Enough to try a benchmark itself: every kind of layer once.
SHORT_TEXT: Final = {"num_hidden_layers": 1, "intermediate_size": 384}
SHORT_VISION: Final = {"stages": [[3, 1, 1, 16, 1], [3, 2, 6, 24, 1]]}
SHORT_CLIP: Final = {"num_hidden_layers": 1, "hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 256}
IMAGE_WEIGHT: Final = 4


@dataclass(frozen=True)
class Subject:
    """A model with all that its posts need."""

    name: str
    model: GatedModel
    text: TextSpec
    image: ImageSpec
    tokenizer: Tokenizer

    def converted(self, dtype: torch.dtype) -> GatedModel:
        """Returns a copy of the model that computes in another type."""
        return copy.deepcopy(self.model).to(dtype)

    def write_bundle(self, folder: Path, weight_dtype: WeightDtype = "fp32") -> Bundle:
        """Exports the model, as `crossguard export` would."""
        export_graphs(
            self.model, folder, self.text, self.image, dict.fromkeys(("text", "image", "fusion"), weight_dtype)
        )
        self.tokenizer.save(str(folder / "tokenizer.json"))
        return write_manifest(folder, self._manifest())

    def _manifest(self) -> Mapping[str, Any]:
        config, widths = self.model.config, self.model.widths
        entry = {"name": self.name, "version": "0", "backend": config.backend, "head": config.head}
        rules = {label: {"threshold": 0.5, "review": 0.4, "block": 0.9} for label in HATE.names}
        policy = {"name": "default", "version": "0", "label_scheme": "labels", "labels": rules}
        return {
            "model": {**entry, "text_width": widths.text, "image_width": widths.image},
            "labels": [{"name": label.name, "meaning": label.meaning, "prior": label.prior} for label in HATE],
            "text": self.text.model_dump(),
            "image": self.image.model_dump(),
            "label_schemes": {"labels": list(range(len(HATE.names)))},
            "policies": {"default": policy},
        }


def compact(*, short: bool = False) -> Subject:
    """The bundled model: MiniLM-L6, EfficientNet-Lite0, 192 pixels, 11 outputs; a small one to try the benchmark."""
    encoder = {"text_config": MINILM_L6 | (SHORT_TEXT if short else {}), "vision_config": SHORT_VISION if short else {}}
    model = _build("compact", encoder, outputs=11, fusion_dim=256)
    text = TextSpec(max_length=96, normalization="social", image_text="pair")
    tokenizer = make_tokenizer(Specials(start=101, middle=102, end=102, pad=0))
    return Subject("compact", model, text, _image(model, 192, "squash"), tokenizer)


def clip(*, short: bool = False) -> Subject:
    """CLIP ViT-B/32 with the fusion head of its model card; `short` as in `compact`."""
    size = SHORT_CLIP if short else {}
    encoder = CLIPConfig(text_config={**CLIP_TEXT, **size}, vision_config=size).to_dict()
    model = _build("clip", encoder, outputs=len(HATE.names), fusion_dim=FUSION_DIM)
    text = TextSpec(max_length=77, pad_id=49407, attention_mask=False)
    tokenizer = make_tokenizer(Specials(start=49406, middle=None, end=49407, pad=49407))
    return Subject("clip-vit-b32", model, text, _image(model, 224, "crop"), tokenizer)


def siglip2(*, short: bool = False) -> Subject:
    """SigLIP2 base with 16-pixel patches and the fusion head of its model card; `short` as in `compact`."""
    size = SHORT_CLIP if short else {}
    vision = {**SIGLIP_BASE, "image_size": 224, "patch_size": 16, **size}
    encoder = {"text_config": {**SIGLIP2_TEXT, **size}, "vision_config": vision}
    model = _build("siglip", encoder, outputs=len(HATE.names), fusion_dim=FUSION_DIM)
    text = TextSpec(max_length=64, padding="max_length", attention_mask=False)
    tokenizer = make_tokenizer(Specials(start=None, middle=None, end=1, pad=0))
    return Subject("siglip2-base", model, text, _image(model, 224, "squash"), tokenizer)


def _build(backend: str, encoder: dict[str, Any], outputs: int, fusion_dim: int) -> GatedModel:
    torch.manual_seed(0)
    model = build(ModelConfig(backend, num_outputs=outputs, fusion_dim=fusion_dim, encoder=encoder))
    for name, weight in model.named_parameters():
        # Fresh heads answer almost the same to everything, and then no difference between runtimes could show.
        if name.startswith(("proj_", "g_", "gate", "cls")) and weight.ndim > 1:
            nn.init.normal_(weight, std=2 / weight.shape[1] ** 0.5)
        elif weight.ndim == IMAGE_WEIGHT:  # else a signal fades away over fifty convolutions
            nn.init.kaiming_normal_(weight)
    return model.eval()


def _image(model: GatedModel, size: int, resize: str) -> ImageSpec:
    architecture = model.architecture
    return ImageSpec.model_validate(
        {"size": size, "resize": resize, "mean": architecture.mean, "std": architecture.std}
    )
