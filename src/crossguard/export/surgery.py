"""Less arithmetic for the same features: the last layer of a tower runs for the one row that is pooled.

CLIP pools its text at the end token and its image at the class token, SigLIP its text at the last token: only that row
of the last layer is needed, and of the other rows their keys and values. SigLIP pools its image over all rows, and
`compact` both its text and its image, so nothing can be left out there. A contract test holds the logits equal to those
of the whole towers.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossguard.models.gated import GatedModel


def run_last_layer_for_pooled_row(model: GatedModel) -> None:
    """Replaces the towers of a model that is about to be exported, in place; their outputs stay the same."""
    text_holder, image_holder = (_attributes(holder) for holder in model.holders())
    if model.family.name == "clip":
        text_holder.text_model = ClipTextTower(text_holder.text_model)
        image_holder.vision_model = ClipVisionTower(image_holder.vision_model)
    elif model.family.name == "siglip":
        text_holder.text_model = SiglipTextTower(text_holder.text_model)


class ClipTextTower(nn.Module):
    """CLIP's text tower up to `pooler_output`."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.embeddings = tower.embeddings
        *first, self.last = _layers(tower)
        self.layers = nn.ModuleList(first)
        self.norm = tower.final_layer_norm
        self.end = int(tower.config.eos_token_id)

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        """Maps int64 (n, length) to features, float (n, d)."""
        # Checkpoints older than transformers' pull request 24773 say 2, and their end token is the highest one.
        marks = input_ids if self.end == 2 else (input_ids == self.end)  # noqa: PLR2004
        rows = marks.int().argmax(dim=-1)
        hidden = self.embeddings(input_ids=input_ids)
        for layer in self.layers:
            hidden = layer(hidden, causal=True)
        index = rows.reshape(-1, 1, 1).expand(-1, 1, hidden.shape[2])
        mask = torch.arange(hidden.shape[1]) <= rows.reshape(-1, 1, 1, 1)
        return SimpleNamespace(pooler_output=self.norm(self.last.row(hidden.gather(1, index), hidden, mask)))


class ClipVisionTower(nn.Module):
    """CLIP's image tower up to `pooler_output`."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.embeddings = tower.embeddings
        self.pre_norm = tower.pre_layrnorm
        *first, self.last = _layers(tower)
        self.layers = nn.ModuleList(first)
        self.norm = tower.post_layernorm

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        """Maps float (n, 3, height, width) to features, float (n, d)."""
        hidden = self.pre_norm(self.embeddings(pixel_values))
        for layer in self.layers:
            hidden = layer(hidden)
        return SimpleNamespace(pooler_output=self.norm(self.last.row(hidden[:, :1], hidden)))


class SiglipTextTower(nn.Module):
    """SigLIP's text tower up to `pooler_output`."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.embeddings = tower.embeddings
        *first, self.last = _layers(tower)
        self.layers = nn.ModuleList(first)
        self.norm = tower.final_layer_norm
        self.head = tower.head

    def forward(self, input_ids: Tensor) -> SimpleNamespace:
        """Maps int64 (n, length) to features, float (n, d)."""
        hidden = self.embeddings(input_ids=input_ids)
        for layer in self.layers:
            hidden = layer(hidden)
        return SimpleNamespace(pooler_output=self.head(self.norm(self.last.row(hidden[:, -1:], hidden))))


class Layer(nn.Module):
    """A layer of transformers' CLIP and SigLIP encoders, whole or for one row."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention = layer.self_attn
        self.heads = int(layer.self_attn.num_heads)
        self.first_norm = layer.layer_norm1
        self.second_norm = layer.layer_norm2
        self.mlp = layer.mlp

    def forward(self, hidden: Tensor, *, causal: bool = False) -> Tensor:
        """Maps (n, length, d) to the same shape."""
        normed = self.first_norm(hidden)
        return self._finish(hidden, self._attend(normed, normed, _causal_mask(hidden) if causal else None))

    def row(self, one: Tensor, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns what `forward` gives for one row of each sequence, float (n, d).

        Args:
            one: That row, (n, 1, d).
            hidden: The whole sequence, (n, length, d).
            mask: bool (n, 1, 1, length), what the row may look at; everything when None.
        """
        attended = self._attend(self.first_norm(one), self.first_norm(hidden), mask)
        return self._finish(one, attended).squeeze(1)

    def _attend(self, queries: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        parts: Any = self.attention
        query, key, value = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, x in ((parts.q_proj, queries), (parts.k_proj, tokens), (parts.v_proj, tokens))
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        projected: Tensor = parts.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def _finish(self, hidden: Tensor, attended: Tensor) -> Tensor:
        hidden = hidden + attended
        finished: Tensor = hidden + self.mlp(self.second_norm(hidden))
        return finished


def _layers(tower: Any) -> list[Layer]:
    return [Layer(layer) for layer in tower.encoder.layers]


def _causal_mask(hidden: Tensor) -> Tensor:
    places = torch.arange(hidden.shape[1])
    return places <= places.unsqueeze(1)


def _attributes(module: nn.Module) -> Any:
    return module
