"""uint8 pixels to what an image encoder takes; the same module in training and inside the image graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PixelNormalizer(nn.Module):
    """`(pixels / 255 - mean) / std`, channels first."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        means, stds = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        self.register_buffer("scale", (1 / (255 * stds)).float(), persistent=False)
        self.register_buffer("shift", (-means / stds).float(), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Maps uint8 (n, height, width, 3) to float (n, 3, height, width)."""
        return (pixels.to(self.scale.dtype) * self.scale + self.shift).permute(0, 3, 1, 2)
