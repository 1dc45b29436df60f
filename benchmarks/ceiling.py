"""What the machine could do at best, and how much of it a model's arithmetic takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.subjects import Subject
from crossguard.machine import multiplies_bf16
from crossguard.models.pixels import PixelNormalizer

SIZE: Final = 1024
TRIES: Final = 10


def ceilings() -> dict[str, float]:
    """Returns GFLOP/s per type that the processor multiplies natively."""
    types = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if multiplies_bf16() else {})
    return {name: _matmul_gflops(dtype) for name, dtype in types.items()}


def _matmul_gflops(dtype: torch.dtype) -> float:
    """Returns the best GFLOP/s of a square matrix product over all cores, oneDNN through PyTorch."""
    left, right = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(TRIES):
        start = time.perf_counter()
        left @ right
        best = max(best, 2 * SIZE**3 / (time.perf_counter() - start) / 1e9)
    return best


def text_gflop(subject: Subject, lengths: Sequence[int]) -> float:
    """Returns the arithmetic of one text in GFLOP, averaged over texts of these lengths in tokens."""
    counts = {length: _count(subject, length) for length in set(lengths)}
    return float(np.mean([counts[length] for length in lengths]))


def image_gflop(subject: Subject) -> float:
    """Returns the arithmetic of one image in GFLOP."""
    size = subject.image.size
    pixels = PixelNormalizer(subject.image.mean, subject.image.std)(torch.zeros(1, size, size, 3))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        subject.model.image_features(pixels)
    return float(counter.get_total_flops()) / 1e9


def _count(subject: Subject, length: int) -> float:
    ids = torch.ones(1, length, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        subject.model.text_features(ids, torch.ones_like(ids))
    return float(counter.get_total_flops()) / 1e9
