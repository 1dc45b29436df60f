"""Computes a graph in full precision where the processor's sums of 8-bit products overflow.

Processors of x86 without VNNI or AMX sum pairs of such products in 16 bits. Whether this one does is tried and not
looked up: not every system lists what its processor has, and not all that it lists may be used.

Told to leave 8 bits alone (`LP_TRANSFORMS_MODE=NO`), OpenVINO 2026.4.1 computed some graphs wrongly, and convolutions
on several streams differently in each program. Where weights are floats it finds nothing to multiply in 8 bits.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS, nodes

WIDTH: Final = 64
HIGHEST: Final = LEVELS - 1
HEAVIEST: Final = 127
CLOSE: Final = 0.01


def convert_weights(model: Any) -> None:
    """Stores weights as the floats that their steps stand for, in a graph whose inputs are rounded to 8 bits too."""
    if next(nodes(model, "FakeQuantize"), None) is None or not sums_overflow():
        return
    passes = import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


@cache
def sums_overflow() -> bool:
    """Whether a dense layer or a convolution of the largest 8-bit numbers gives a wrong sum; takes 50 ms."""
    ov = openvino()
    ops = ov.opset13
    dense, pixels = ops.parameter([1, WIDTH], np.float32), ops.parameter([1, WIDTH, 1, 1], np.float32)
    sums = [
        ops.matmul(_rounded(dense), _heaviest([WIDTH, WIDTH]), transpose_a=False, transpose_b=False),
        ops.convolution(_rounded(pixels), _heaviest([WIDTH, WIDTH, 1, 1]), [1, 1], [0, 0], [0, 0], [1, 1]),
    ]
    settings = {"INFERENCE_PRECISION_HINT": ov.Type.f32, "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    compiled = ov.Core().compile_model(ov.Model(sums, [dense, pixels]), "CPU", settings)
    found = compiled([np.full(port.get_shape(), HIGHEST, np.float32) for port in (dense, pixels)])
    return not all(np.allclose(found[port], WIDTH * HIGHEST * HEAVIEST, rtol=CLOSE) for port in compiled.outputs)


def _rounded(values: Any) -> Any:
    low, high = np.float32(0), np.float32(HIGHEST)
    return openvino().opset13.fake_quantize(values, low, high, low, high, LEVELS)


def _heaviest(shape: list[int]) -> Any:
    """Returns weights stored in 8 bits, with a scale, as they are in a bundle."""
    ops = openvino().opset13
    return ops.multiply(ops.convert(ops.constant(np.full(shape, HEAVIEST, np.int8)), "f32"), np.float32(1))
