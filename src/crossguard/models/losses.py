"""Losses per post and output that know unknown labels (NaN) and soft ones (vote fractions)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def elementwise(
    logits: Tensor, targets: Tensor, loss_type: str, focal_gamma: float, pos_weight: Tensor | None = None
) -> Tensor:
    """Binary cross-entropy, or focal loss (Lin et al., ICCV 2017): it fades where the model is already right.

    Args:
        logits: float (n, outputs).
        targets: float (n, outputs) in [0, 1]; NaN where the label is unknown.
        loss_type: `bce` or `focal`.
        focal_gamma: How fast easy posts fade; 0 gives cross-entropy.
        pos_weight: float (outputs,), weight of positive targets.

    Returns:
        float (n, outputs); 0 where the target is unknown.
    """
    if loss_type == "focal":
        # The paper's `p_t` as `exp(-cross-entropy)`, which is defined for soft targets too.
        easy = torch.exp(-_bce(logits, targets))
        return (1 - easy) ** focal_gamma * _bce(logits, targets, pos_weight)
    return _bce(logits, targets, pos_weight)


def _bce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    losses = functional.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), pos_weight=pos_weight, reduction="none"
    )
    return losses * ~targets.isnan()


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
