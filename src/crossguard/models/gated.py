"""What both heads share: the towers run on the posts that have the modality, and a gate weighs their projections."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .backbone import Backbone, Widths
from .config import ModelConfig
from .losses import elementwise


@dataclass(frozen=True)
class Gated:
    """Text and image after projection and fusion; n posts."""

    text: Tensor  # float (n, fusion_dim), projected
    image: Tensor  # float (n, fusion_dim), projected
    fused: Tensor  # float (n, fusion_dim)
    text_weight: Tensor  # float (n,) in [0, 1], mean gate; 1 without an image, 0 without text


class GatedModel(nn.Module, ABC):
    """Projections `proj_t`, `proj_i`, gates `g_t`, `g_i`, `gate`: the published parameter names."""

    # Whether the features of an absent modality count as zero; else the gate alone leaves them out, and a post with
    # neither modality is scored by the text tokens that it came with, as the published model does
    masks_absent: bool
    # How the names of the weights begin whose shapes follow from the number of outputs
    output_weights: tuple[str, ...]

    def __init__(self, config: ModelConfig, architecture: Backbone, widths: Widths) -> None:
        super().__init__()
        dim = config.fusion_dim
        self.config = config
        self.architecture = architecture
        self.widths = widths
        self.proj_t = nn.Linear(widths.text, dim)
        self.proj_i = nn.Linear(widths.image, dim)
        self.g_t = nn.Linear(dim, dim)
        self.g_i = nn.Linear(dim, dim)
        self.gate = nn.Linear(2 * dim + 2, dim)

    @abstractmethod
    def text_features(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Returns float (n, widths.text), as `classify` takes it."""

    @abstractmethod
    def image_features(self, pixel_values: Tensor) -> Tensor:
        """Returns float (n, widths.image) from normalised pixels, float (n, 3, height, width)."""

    @abstractmethod
    def classify(self, gated: Gated) -> Tensor:
        """Returns logits, float (n, num_outputs)."""

    @abstractmethod
    def reduce(self, losses: Tensor, weights: Tensor) -> Tensor:
        """Turns losses and their weights, float (n, num_outputs), into the scalar that training lowers."""

    @abstractmethod
    def holders(self) -> tuple[nn.Module, nn.Module]:
        """Returns the modules with the attribute `text_model` and `vision_model`; may be one module twice."""

    @property
    def image_size(self) -> int | None:
        """Height and width in pixels that the image encoder takes; None when it takes any."""
        vision: Any = self.holders()[1].vision_model
        size: int | None = getattr(vision.config, "image_size", None)
        return size

    @property
    def text_positions(self) -> int:
        """Tokens at most that the text encoder takes."""
        text: Any = self.holders()[0].text_model
        positions: int = text.config.max_position_embeddings
        # RoBERTa and MPNet count from their padding's id, so two of their 514 positions hold no token.
        return min(positions, self.architecture.text_length) if self.architecture.reads_attention_mask else positions

    def misfits(self, image_size: int, text_length: int, token_ids: int) -> list[str]:
        """Returns what the encoders do not take, in words: size of images, length of texts, highest token id."""
        problems = []
        if self.image_size not in {None, image_size}:
            own = self.image_size
            problems.append(f"the encoder takes images of {own} pixels, not {image_size}; set image_size={own}")
        if text_length > self.text_positions:
            most = self.text_positions
            problems.append(f"the encoder takes {most} tokens at most, not {text_length}; set max_text_length={most}")
        text: Any = self.holders()[0].text_model
        if token_ids >= (known := text.config.vocab_size):
            problems.append(f"the encoder knows {known} token ids, and its tokenizer gives {token_ids}")
        return problems

    def fuse(self, text: Tensor, image: Tensor, has_text: Tensor, has_image: Tensor) -> tuple[Tensor, Tensor]:
        """Turns features into logits.

        Args:
            text: float (n, widths.text); what a post without text holds is ignored.
            image: float (n, widths.image); what a post without image holds is ignored.
            has_text: float (n,), 1 or 0.
            has_image: float (n,), 1 or 0.

        Returns:
            Logits, float (n, num_outputs), and the text's share, float (n,).
        """
        gated = self._gate(text, image, has_text.unsqueeze(1), has_image.unsqueeze(1))
        return self.classify(gated), gated.text_weight

    def forward(  # noqa: PLR0917 the published signature
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        text_present: Tensor | None = None,
        image_present: Tensor | None = None,
        labels: Tensor | None = None,
        image_features: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Scores posts; a tower runs on the posts that have its modality, and not at all when none has.

        Args:
            input_ids: int64 (n, length), or None when no post has text.
            attention_mask: int64 (n, length); needed by backbones that read it.
            pixel_values: float (n, 3, height, width), normalised; None when no post has an image.
            text_present: (n,), 1 where the post has text; all ones by default.
            image_present: (n,), 1 where the post has an image; all ones by default.
            image_features: float (n, widths.image), in place of the pixels where they are known already.
            labels: float (n, num_outputs) in [0, 1], NaN where unknown; asks for the `loss`.

        Returns:
            `logits` float (n, num_outputs), `text_weight` float (n,), and `loss` when labels were given.
        """
        seen = pixel_values if image_features is None else image_features
        has_text = self._presence(text_present, input_ids, seen)
        has_image = self._presence(image_present, seen, input_ids)
        runs_text = has_text if self.masks_absent else torch.where(has_image > 0, has_text, torch.ones_like(has_text))
        text = self._run(self.widths.text, runs_text, input_ids, attention_mask)
        image = self._run(self.widths.image, has_image, pixel_values) if image_features is None else image_features
        logits, text_weight = self.fuse(text, image, has_text, has_image)
        outputs = {"logits": logits, "text_weight": text_weight}
        if labels is not None:
            known = (~labels.isnan()).to(logits.dtype)
            losses = elementwise(logits, labels, self.config.loss_type, self.config.focal_gamma)
            outputs["loss"] = self.reduce(losses, known)
        return outputs

    def _presence(self, flags: Tensor | None, own: Tensor | None, other: Tensor | None) -> Tensor:
        some = own if own is not None else other
        if some is None:
            raise ValueError("A model needs input_ids, pixel_values, or both.")
        if own is None:
            return self.gate.weight.new_zeros(len(some))
        if flags is None:
            return self.gate.weight.new_ones(len(some))
        return flags.to(self.gate.weight).reshape(-1)

    def _run(self, width: int, present: Tensor, inputs: Tensor | None, mask: Tensor | None = None) -> Tensor:
        """Runs a tower on the rows that are present; the other rows are zero."""
        rows = present.bool()
        if inputs is None or not rows.any():
            return present.new_zeros(len(present), width)
        everything = bool(rows.all())
        chosen = inputs if everything else inputs[rows]
        if inputs.is_floating_point():
            features = self.image_features(chosen)
        else:
            features = self.text_features(chosen, mask if everything or mask is None else mask[rows])
        if everything:
            return features
        return features.new_zeros(len(present), width).index_put((rows.nonzero().squeeze(1),), features)

    def _gate(self, text: Tensor, image: Tensor, has_text: Tensor, has_image: Tensor) -> Gated:
        if self.masks_absent:
            text, image = text * has_text, image * has_image
        t, v = self.proj_t(text), self.proj_i(image)
        zt, zi = torch.tanh(self.g_t(t)), torch.tanh(self.g_i(v))
        g = torch.sigmoid(self.gate(torch.cat([t, v, has_text, has_image], dim=1)))
        # An absent image leaves the text alone; only else an absent text leaves the image alone.
        g = torch.where(has_image > 0, torch.where(has_text > 0, g, torch.zeros_like(g)), torch.ones_like(g))
        return Gated(t, v, g * zt + (1 - g) * zi, g.mean(dim=1))
