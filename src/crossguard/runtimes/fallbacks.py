"""Rewrites what OpenVINO does not compute on the processor at hand, or computes wrongly: that is tried, not looked up.

Not every system lists what its processor has, and not all that is listed may be used.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS, constant, nodes, norms_last_axis

TOKENS: Final = 2  # axes of (n, length)
LAYERS: Final = ("MatMul", "Convolution")
"""Kinds of layers that are multiplied in 8 bits."""
# Sizes of layers as they are in encoders, so that the kernels are those of encoders.
WIDTH: Final = 64
ROWS: Final = 96
SIDE: Final = 12
HIGHEST: Final = LEVELS - 1
HEAVIEST: Final = 127
CLOSE: Final = 0.01


def convert_weights(model: Any) -> None:
    """Stores weights as the floats that their steps stand for, where a processor cannot multiply the steps.

    Told to leave 8 bits alone (`LP_TRANSFORMS_MODE=NO`), OpenVINO 2026.4.1 computed some graphs wrongly, and
    convolutions on several streams differently in each program. Here it finds nothing to multiply in 8 bits.
    """
    kinds = {node.get_type_name() for node in model.get_ordered_ops()}
    overflows = "FakeQuantize" in kinds and any(kind in kinds and sums_overflow(kind) for kind in LAYERS)
    if overflows or lacks_kernels():
        passes = import_module("openvino.passes")
        manager = passes.Manager()
        manager.register_pass(passes.ConstantFolding())
        manager.run_passes(model)


def split_steps(model: Any) -> None:
    """Replaces what has no kernel by single steps: layer norm, and `ArgMax`, by which CLIP finds the end of a text."""
    if not lacks_kernels():
        return
    for norm in nodes(model, "MVN"):
        if _is_layer_norm(norm):
            norm.output(0).replace(_layer_norm(norm).output(0))
    for choice in nodes(model, "TopK"):
        if _is_place_of_highest(choice):
            choice.output(1).replace(_place_of_highest(choice.input_value(0)).output(0))
    model.validate_nodes_and_infer_types()


def _is_layer_norm(norm: Any) -> bool:
    attributes = norm.get_attributes()
    is_norm = attributes["normalize_variance"] and attributes["eps_mode"] == "INSIDE_SQRT"
    return is_norm and norms_last_axis(norm) and norm.get_output_partial_shape(0)[-1].is_static


def _layer_norm(norm: Any) -> Any:
    ops, values, axes = openvino().opset13, norm.input_value(0), norm.input_value(1)
    # Sums and not means, of which OpenVINO would make the same node again.
    share = np.float32(1 / norm.get_output_partial_shape(0)[-1].get_length())
    around = ops.subtract(values, ops.multiply(ops.reduce_sum(values, axes, keep_dims=True), share))
    variance = ops.multiply(ops.reduce_sum(ops.multiply(around, around), axes, keep_dims=True), share)
    return ops.divide(around, ops.sqrt(ops.add(variance, np.float32(norm.get_attributes()["eps"]))))


def _is_place_of_highest(choice: Any) -> bool:
    count, rank, attributes = constant(choice, 1), choice.get_output_partial_shape(0).rank, choice.get_attributes()
    is_one = count is not None and count.item() == 1 and rank == TOKENS and not choice.output(0).get_target_inputs()
    kind = (attributes["mode"], attributes["index_element_type"])
    return is_one and kind == ("max", "i64") and attributes["axis"] in {-1, 1}


def _place_of_highest(tokens: Any) -> Any:
    """Returns the first place of the highest of (n, length), (n, 1)."""
    ops = openvino().opset13
    is_highest = ops.equal(tokens, ops.reduce_max(tokens, [1], keep_dims=True))
    length = ops.gather(ops.shape_of(tokens), np.int64(1), 0)
    places = ops.range(np.int64(0), length, np.int64(1), "i64")
    return ops.reduce_min(ops.select(is_highest, places, length), [1], keep_dims=True)


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


def _computed(result: Any, parameter: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
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
