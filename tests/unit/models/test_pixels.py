"""Normalised pixels, the same in training and in the graph."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models.pixels import PixelNormalizer


def test_pixels_are_normalised_per_channel_and_channels_come_first() -> None:
    mean, std = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
    pixels = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = PixelNormalizer(mean, std)(pixels)
    expected = (pixels.double() / 255 - torch.tensor(mean, dtype=torch.float64)) / torch.tensor(
        std, dtype=torch.float64
    )
    assert made.dtype == torch.float32
    assert torch.allclose(made.double(), expected.permute(0, 3, 1, 2), atol=1e-5)


def test_nothing_of_it_is_stored_with_a_model() -> None:
    assert PixelNormalizer((0.5,) * 3, (0.5,) * 3).state_dict() == {}
