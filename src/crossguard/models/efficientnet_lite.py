"""EfficientNet-Lite0 (Tan and Le, ICML 2019; no squeeze-and-excitation, ReLU6): images on small machines."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

# (kernel, stride, expansion, channels, repeats) of each stage of Lite0.
LITE0 = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
BATCH_NORM_EPSILON = 1e-3

# Names in the published weights -> ours, outside of the blocks and in them.
_OUTER = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "head.conv", "_bn1": "head.norm"}
_INNER = {
    "_expand_conv": "expand.conv", "_bn0": "expand.norm", "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm", "_project_conv": "project.conv", "_bn2": "project.norm",
}  # fmt: skip


@dataclass(frozen=True)
class EfficientNetLiteConfig:
    """The shape of the network."""

    stem: int = 32
    stages: tuple[tuple[int, int, int, int, int], ...] = LITE0
    features: int = 1280

    @classmethod
    def of(cls, values: dict[str, Any]) -> EfficientNetLiteConfig:
        """Reads its fields, through JSON or not."""
        return cls(**{**values, "stages": tuple(map(tuple, values.get("stages", LITE0)))})


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that keeps its statistics in training.

    A training batch may hold few images, or none, and several processes must learn what one process learns.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Normalises with the stored statistics."""
        return functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's `SAME` padding, normalisation and, unless it is a projection, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, activate: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = FrozenBatchNorm2d(outputs, eps=BATCH_NORM_EPSILON)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, ceil(h / stride), ceil(w / stride))."""
        x = self.norm(self.conv(self._pad(x)))
        return functional.relu6(x) if self.activate else x

    def _pad(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        height, width = (max((ceil(size / stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:])
        if height == width == 0:
            return x
        return functional.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shape allows one."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvNorm(inputs, hidden) if expansion > 1 else None
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs, activate=False)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, ceil(h / stride), ceil(w / stride))."""
        hidden = x if self.expand is None else self.expand(x)
        projected: Tensor = self.project(self.depthwise(hidden))
        return x + projected if self.shortcut else projected


class EfficientNetLite(nn.Module):
    """The convolutional part; the mean over the image is its output."""

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = ConvNorm(3, config.stem, 3, 2)
        self.blocks = nn.ModuleList()
        channels = config.stem
        for kernel, stride, expansion, width, repeats in config.stages:
            for repeat in range(repeats):
                self.blocks.append(InvertedResidual(channels, width, kernel, 1 if repeat else stride, expansion))
                channels = width
        self.head = ConvNorm(channels, config.features)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Maps normalised pixels, float (n, 3, height, width), to features, float (n, features)."""
        x = self.stem(pixel_values)
        for block in self.blocks:
            x = block(x)
        pooled: Tensor = self.head(x).mean(dim=(2, 3))
        return pooled


def fold_batch_norms(module: nn.Module) -> None:
    """Folds every normalisation into the convolution before it, in place: the same function with fewer steps."""
    for part in module.modules():
        if isinstance(part, ConvNorm) and isinstance(part.norm, FrozenBatchNorm2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity()


def load_lite0(path: str) -> EfficientNetLite:
    """Reads the published Lite0 weights (a PyTorch state dict, read without pickle's code execution)."""
    network = EfficientNetLite(EfficientNetLiteConfig())
    stored = torch.load(path, map_location="cpu", weights_only=True)
    renamed = {_rename(name): value for name, value in stored.items() if not name.startswith("_fc.")}
    network.load_state_dict(renamed)
    return network


def _rename(name: str) -> str:
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([_OUTER[first], *rest])
    number, layer, *rest = rest
    return ".".join(["blocks", number, _INNER[layer], *rest])
