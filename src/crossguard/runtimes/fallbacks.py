"""Rewrites what OpenVINO does not compute on the processor at hand, or computes wrongly, as `probes` finds."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import constant, nodes, norms_last_axis
from crossguard.runtimes.probes import LAYERS, lacks_kernels, sums_overflow

TOKENS: Final = 2  # axes of (n, length)


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
