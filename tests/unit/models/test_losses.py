from __future__ import annotations

import math
from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models import losses


def test_unknown_labels_do_not_count() -> None:
    logits = torch.tensor([[0.3, -2.0], [1.0, 4.0]])
    targets = torch.tensor([[1.0, math.nan], [math.nan, 0.0]])
    for kind in ("bce", "focal"):
        loss = losses.elementwise(logits, targets, kind, 1.5)
        assert loss[0, 1] == loss[1, 0] == 0
        assert loss[0, 0] > 0


def test_focal_without_gamma_is_cross_entropy() -> None:
    logits, targets = torch.randn(4, 3), torch.rand(4, 3)
    focal, bce = (losses.elementwise(logits, targets, kind, 0) for kind in ("focal", "bce"))
    assert torch.allclose(focal, bce)


def test_noisy_or_is_the_union_of_independent_labels() -> None:
    logits = torch.tensor([[0.2, -1.0, 0.5], [-3.0, -2.0, -4.0], [9.0, 0.0, 0.0]])
    union = torch.tensor([1.0, 0.0, math.nan])
    p = 1 - (1 - torch.sigmoid(logits)).prod(dim=1)
    expected = torch.tensor([-math.log(p[0]), -math.log(1 - p[1]), 0.0])
    assert torch.allclose(losses.noisy_or(logits, union), expected, atol=1e-5)


def test_noisy_or_is_finite_at_the_ends() -> None:
    logits = torch.tensor([[-80.0, -80.0], [80.0, 80.0]], requires_grad=True)
    loss: Any = losses.noisy_or(logits, torch.tensor([1.0, 0.0])).sum()
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
