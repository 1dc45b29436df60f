"""What OpenVINO computes on this processor, and whether it is right: tried, and not looked up.

Not every system lists what its processor has, and not all that is listed may be used.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS

WIDTH: Final = 64
HIGHEST: Final = LEVELS - 1
HEAVIEST: Final = 127
CLOSE: Final = 0.01


@cache
def sums_overflow() -> bool:
    """Whether a dense layer or a convolution of the largest 8-bit numbers gives a wrong sum; takes 50 ms.

    Processors of x86 without VNNI or AMX sum pairs of such products in 16 bits.
    """
    ops = openvino().opset13
    dense, pixels = ops.parameter([1, WIDTH], np.float32), ops.parameter([1, WIDTH, 1, 1], np.float32)
    sums = [
        ops.matmul(_rounded(dense), _heaviest([WIDTH, WIDTH]), transpose_a=False, transpose_b=False),
        ops.convolution(_rounded(pixels), _heaviest([WIDTH, WIDTH, 1, 1]), [1, 1], [0, 0], [0, 0], [1, 1]),
    ]
    full = [np.full(port.get_shape(), HIGHEST, np.float32) for port in (dense, pixels)]
    exact = WIDTH * HIGHEST * HEAVIEST
    return not all(
        values.size and np.allclose(values, exact, rtol=CLOSE) for values in _computed(sums, [dense, pixels], full)
    )


@cache
def lacks_kernels() -> bool:
    """Whether OpenVINO cannot compute a layer norm; takes 50 ms.

    So it is with version 2026.4.1 on processors of x86 without AVX2, among them virtual machines whose processor is a
    generic one. Other kernels are missing there, too: `ArgMax`, and dense layers of floats by weights in 8 bits.
    """
    values = openvino().opset13.parameter([1, WIDTH], np.float32)
    norm = openvino().opset13.mvn(values, [-1], normalize_variance=True, eps=1e-5, eps_mode="inside_sqrt")
    found = _computed([norm], [values], [np.arange(WIDTH, dtype=np.float32)[None]])[0]
    return not (found.size and np.isclose(found.std(), 1, rtol=CLOSE))


def _computed(results: list[Any], parameters: list[Any], feed: list[Any]) -> list[Any]:
    """Returns what comes out; nothing where that fails, as it also looks where OpenVINO hides the error."""
    ov = openvino()
    settings = {"INFERENCE_PRECISION_HINT": ov.Type.f32, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    try:
        compiled = ov.Core().compile_model(ov.Model(results, parameters), "CPU", settings)
        found = compiled(feed)
    except RuntimeError:
        return [np.empty(0) for _ in results]
    return [found[port] for port in compiled.outputs]


def _rounded(values: Any) -> Any:
    low, high = np.float32(0), np.float32(HIGHEST)
    return openvino().opset13.fake_quantize(values, low, high, low, high, LEVELS)


def _heaviest(shape: list[int]) -> Any:
    """Returns weights stored in 8 bits, with a scale, as they are in a bundle."""
    ops = openvino().opset13
    return ops.multiply(ops.convert(ops.constant(np.full(shape, HEAVIEST, np.int8)), "f32"), np.float32(1))
