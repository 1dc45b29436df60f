"""What training lowers: a masked loss per output, plus the union of a label scheme where that is all that is known."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from crossguard.models.gated import GatedModel
from crossguard.models.losses import elementwise, noisy_or
from crossguard.models.pixels import PixelNormalizer
from crossguard.training.batches import Tensors
from crossguard.training.recipe import Recipe
from crossguard.training.targets import HALF

PRIOR_BOUNDS = (1e-4, 1 - 1e-4)


class Objective(nn.Module):
    """A model with its loss, as one module, so that several processes can share its gradients."""

    pos_weight: Tensor
    prior_logits: Tensor

    def __init__(self, model: GatedModel, recipe: Recipe, targets: NDArray[np.float32]) -> None:
        """Prepares the loss."""
        super().__init__()
        self.model = model
        self.recipe = recipe
        spec = recipe.image_spec()
        self.normalizer = PixelNormalizer(spec.mean, spec.std)
        self.register_buffer("pos_weight", pos_weights(recipe, targets), persistent=False)
        self.register_buffer("prior_logits", prior_logits(recipe, targets), persistent=False)

    def forward(self, batch: Tensors) -> Tensor:
        """Returns the loss of a batch, a scalar."""
        logits = self.logits(batch) + self.prior_logits
        smooth = self.recipe.label_smoothing
        targets = batch.targets * (1 - smooth) + HALF * smooth
        losses = elementwise(logits, targets, self.recipe.loss_type, self.recipe.focal_gamma, self.pos_weight)
        weights = (~batch.targets.isnan()).to(losses.dtype) * batch.weights
        return self.model.reduce(losses, weights) + self._union(logits, batch)

    def logits(self, batch: Tensors) -> Tensor:
        """Returns logits, float32 (n, outputs)."""
        pixel_values = None if batch.pixels is None else self.normalizer(batch.pixels)
        outputs = self.model(
            batch.input_ids,
            batch.attention_mask,
            pixel_values,
            batch.text_present,
            batch.image_present,
            image_features=batch.image_features,
        )
        logits: Tensor = outputs["logits"].float()
        return logits

    def _union(self, logits: Tensor, batch: Tensors) -> Tensor:
        if not self.recipe.union_weight:
            return logits.new_zeros(())
        losses = [
            noisy_or(logits[:, list(block)], batch.unions[:, place]) * batch.weights[:, block[0]]
            for place, block in enumerate(self.recipe.columns.values())
        ]
        return self.recipe.union_weight * torch.stack(losses).sum() / logits.numel()


def pos_weights(recipe: Recipe, targets: NDArray[np.float32]) -> Tensor:
    """Returns the weight of positive targets per output, (outputs,)."""
    if recipe.pos_weight == "none":
        return torch.ones(recipe.num_outputs)
    if isinstance(recipe.pos_weight, tuple):
        return torch.tensor(recipe.pos_weight)
    share = priors(targets)
    return torch.from_numpy(((1 - share) / share).clip(max=recipe.pos_weight_cap)).float()


def prior_logits(recipe: Recipe, targets: NDArray[np.float32]) -> Tensor:
    """Returns what logit adjustment adds to the logits in training, (outputs,)."""
    if not recipe.use_logit_adjustment:
        return torch.zeros(recipe.num_outputs)
    share = priors(targets)
    return torch.from_numpy(np.log(share) - np.log1p(-share)).float()


def priors(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the share of positive targets among the known ones, (outputs,); one half where none is known."""
    known = ~np.isnan(targets)
    counts = known.sum(axis=0)
    share = np.where(counts > 0, np.nan_to_num(targets).sum(axis=0) / np.maximum(counts, 1), HALF)
    return np.asarray(share.astype(np.float64).clip(*PRIOR_BOUNDS))
