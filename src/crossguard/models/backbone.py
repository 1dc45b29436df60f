"""What a head needs to know about a pair of encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Widths:
    """Number of features, of a text and of an image."""

    text: int
    image: int


class Backbone(ABC):
    """One architecture of encoders.

    It holds no weights: those are in the `module` that it builds, which has the attributes `text_model` and
    `vision_model` whatever the architecture. The published checkpoints store them under these names.

    `pool_*` give what a tower says (the multi-task head reads this); `embed_*` give what text and images are compared
    by (the fusion head reads this). `holder` is any module with the tower's attribute.
    """

    name: str  # the word in recipes and configurations
    reads_attention_mask: bool  # whether padding changes a text's features unless it is masked
    # Whether a text may be given without padding; else it must have the full length that the tower was trained on
    trims_padding: bool
    text_length: int  # tokens at most that the text tower was made for
    # Of each colour channel, on the scale [0, 1], in the pretraining of the image tower
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @abstractmethod
    def build(self, encoder: dict[str, Any]) -> nn.Module:
        """Builds the encoders with random weights from their library's configuration."""

    @abstractmethod
    def load(self, source: str) -> nn.Module:
        """Builds the encoders with pretrained weights from a Hub id or a folder."""

    @abstractmethod
    def describe(self, module: nn.Module) -> dict[str, Any]:
        """Returns the configuration that `build` needs to make the same encoders."""

    @abstractmethod
    def tiny(self) -> dict[str, Any]:
        """Returns the configuration of encoders that train in seconds, for tests and demonstrations."""

    @abstractmethod
    def pool_text(self, holder: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Returns the text tower's features, float (n, pooled.text), not normalised."""

    @abstractmethod
    def pool_image(self, holder: nn.Module, pixel_values: Tensor) -> Tensor:
        """Returns the image tower's features, float (n, pooled.image), not normalised."""

    def embed_text(self, module: nn.Module, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Returns text embeddings, float (n, embedded.text), not normalised; what is pooled unless there is more."""
        return self.pool_text(module, input_ids, attention_mask)

    def embed_image(self, module: nn.Module, pixel_values: Tensor) -> Tensor:
        """Returns image embeddings, float (n, embedded.image), not normalised; what is pooled unless there is more."""
        return self.pool_image(module, pixel_values)

    @abstractmethod
    def pooled(self, module: nn.Module) -> Widths:
        """Number of features that `pool_*` give."""

    def embedded(self, module: nn.Module) -> Widths:
        """Number of features that `embed_*` give."""
        return self.pooled(module)

    @abstractmethod
    def text_layers(self, holder: nn.Module) -> list[nn.Module]:
        """Returns the text tower's layers from the first (the embeddings) to the last."""

    @abstractmethod
    def image_layers(self, holder: nn.Module) -> list[nn.Module]:
        """Returns the image tower's layers from the first (the stem) to the last."""
