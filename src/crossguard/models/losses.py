"""Losses per post and output that know unknown labels (NaN) and soft ones (vote fractions)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy.

    Args:
        logits: float (n, outputs).
        targets: float (n, outputs) in [0, 1]; NaN where the label is unknown.
        pos_weight: float (outputs,), weight of positive targets.

    Returns:
        float (n, outputs); 0 where the target is unknown.
    """
    known = ~targets.isnan()
    losses = functional.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), pos_weight=pos_weight, reduction="none"
    )
    return losses * known


def focal(logits: Tensor, targets: Tensor, gamma: float = 1.5, pos_weight: Tensor | None = None) -> Tensor:
    """Focal loss (Lin et al., ICCV 2017): cross-entropy that fades where the model is already right.

    `p_t` is taken as `exp(-cross-entropy)`, which is defined for soft targets too. Takes and returns what `bce` does;
    `gamma` says how fast easy posts fade, and 0 gives cross-entropy.
    """
    easy = torch.exp(-bce(logits, targets))
    return (1 - easy) ** gamma * bce(logits, targets, pos_weight)


def elementwise(
    logits: Tensor, targets: Tensor, loss_type: str, focal_gamma: float = 1.5, pos_weight: Tensor | None = None
) -> Tensor:
    """Returns the named loss, `bce` or `focal`, per post and output: float (n, outputs)."""
    if loss_type == "focal":
        return focal(logits, targets, focal_gamma, pos_weight)
    return bce(logits, targets, pos_weight)


def noisy_or(logits: Tensor, union: Tensor) -> Tensor:
    """Cross-entropy of "at least one of these outputs", for posts known to be hateful but not against whom.

    The union's probability is `1 - prod(1 - p)`, as if the labels were independent causes.

    Args:
        logits: float (n, labels).
        union: float (n,) in [0, 1]; NaN where it is unknown.

    Returns:
        float (n,); 0 where the union is unknown.
    """
    known = ~union.isnan()
    target = union.nan_to_num()
    log_none = functional.logsigmoid(-logits).sum(dim=1).clamp(max=-1e-6)
    log_some = torch.log(-torch.expm1(log_none))
    return -(target * log_some + (1 - target) * log_none) * known


def masked_mean(losses: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over posts, (outputs,); 0 for an output whose weights are all 0.

    Args:
        losses: (n, outputs).
        weights: (n, outputs), 0 where a loss does not count.
    """
    return (losses * weights).sum(dim=0) / weights.sum(dim=0).clamp(min=torch.finfo(losses.dtype).tiny)
