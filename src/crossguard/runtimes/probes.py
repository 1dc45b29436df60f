"""What OpenVINO computes on this processor, and whether it is right: tried, and not looked up.

Not every system lists what its processor has, and not all that is listed may be used.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS

LAYERS: Final = ("MatMul", "Convolution")
"""Kinds of layers that are multiplied in 8 bits."""
Array: TypeAlias = NDArray[np.float32]
# Sizes of layers as they are in encoders, so that the kernels are those of encoders.
WIDTH: Final = 64
ROWS: Final = 96
SIDE: Final = 12
HIGHEST: Final = LEVELS - 1
HEAVIEST: Final = 127
CLOSE: Final = 0.01


@cache
def sums_overflow(kind: str) -> bool:
    """Whether layers of the largest 8-bit numbers give wrong sums; takes 30 ms.

    Processors of x86 without VNNI or AMX sum pairs of such products in 16 bits.

    Args:
        kind: One of `LAYERS`, which have kernels of their own.
    """
    ops = openvino().opset13
    shape = [ROWS, WIDTH] if kind == "MatMul" else [1, WIDTH, SIDE, SIDE]
    values = ops.parameter(shape, np.float32)
    if kind == "MatMul":
        sums = ops.matmul(_rounded(values), _heaviest([WIDTH, WIDTH]), transpose_a=False, transpose_b=False)
    else:
        sums = ops.convolution(_rounded(values), _heaviest([WIDTH, WIDTH, 1, 1]), [1, 1], [0, 0], [0, 0], [1, 1])
    found = _computed(sums, values, np.full(shape, HIGHEST, np.float32))
    return not (found.size and np.allclose(found, WIDTH * HIGHEST * HEAVIEST, rtol=CLOSE))


@cache
def lacks_kernels() -> bool:
    """Whether OpenVINO cannot compute a layer norm; takes 50 ms.

    So it is with version 2026.4.1 on processors of x86 without AVX2, among them virtual machines whose processor is a
    generic one. Other kernels are missing there, too: `ArgMax`, and dense layers of floats by weights in 8 bits.
    """
    values = openvino().opset13.parameter([1, WIDTH], np.float32)
    norm = openvino().opset13.mvn(values, [-1], normalize_variance=True, eps=1e-5, eps_mode="inside_sqrt")
    found = _computed(norm, values, np.arange(WIDTH, dtype=np.float32)[None])
    return not (found.size and np.isclose(found.std(), 1, rtol=CLOSE))


def _computed(result: Any, parameter: Any, values: Array) -> Array:
    """Returns what comes out; nothing where that fails, as it also looks where OpenVINO hides the error."""
    ov = openvino()
    settings = {"INFERENCE_PRECISION_HINT": ov.Type.f32, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    try:
        compiled = ov.Core().compile_model(ov.Model([result], [parameter]), "CPU", settings)
        return np.array(compiled(values)[0])
    except RuntimeError:
        return np.empty(0, np.float32)


def _rounded(values: Any) -> Any:
    low, high = np.float32(0), np.float32(HIGHEST)
    return openvino().opset13.fake_quantize(values, low, high, low, high, LEVELS)


def _heaviest(shape: list[int]) -> Any:
    """Returns weights stored in 8 bits, with a scale, as they are in a bundle."""
    ops = openvino().opset13
    return ops.multiply(ops.convert(ops.constant(np.full(shape, HEAVIEST, np.int8)), "f32"), np.float32(1))
