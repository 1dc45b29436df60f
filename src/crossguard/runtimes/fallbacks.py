"""Rewrites what OpenVINO does not compute on the processor at hand, or computes wrongly, as `probes` finds."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import constant, nodes, parent
from crossguard.runtimes.probes import lacks_kernels, sums_overflow

LAYERS: Final = frozenset({"MatMul", "Convolution"})
TOKENS: Final = 2  # axes of (n, length)


def convert_weights(model: Any) -> None:
    """Stores weights as the floats that their steps stand for, where a processor cannot multiply the steps.

    Told to leave 8 bits alone (`LP_TRANSFORMS_MODE=NO`), OpenVINO 2026.4.1 computed some graphs wrongly, and
    convolutions on several streams differently in each program. Here it finds nothing to multiply in 8 bits.
    """
    kinds = {node.get_type_name() for node in model.get_ordered_ops()}
    in_8_bits = LAYERS & kinds if "FakeQuantize" in kinds else set()
    if any(map(sums_overflow, sorted(in_8_bits))) or lacks_kernels():
        passes = import_module("openvino.passes")
        manager = passes.Manager()
        manager.register_pass(passes.ConstantFolding())
        manager.run_passes(model)


def split_norms(model: Any) -> None:
    """Replaces each layer norm by sums, products and a root, where it has no kernel."""
    found = [node for node in nodes(model, "MVN") if _is_layer_norm(node)]
    if not found or not lacks_kernels():
        return
    ops = openvino().opset13
    for node in found:
        values, axes = node.input_value(0), node.input_value(1)
        # Sums and not means, of which OpenVINO would make the same node again.
        share = np.float32(1 / node.get_output_partial_shape(0)[-1].get_length())
        around = ops.subtract(values, ops.multiply(ops.reduce_sum(values, axes, keep_dims=True), share))
        variance = ops.multiply(ops.reduce_sum(ops.multiply(around, around), axes, keep_dims=True), share)
        root = ops.sqrt(ops.add(variance, np.float32(node.get_attributes()["eps"])))
        node.output(0).replace(ops.divide(around, root).output(0))
    model.validate_nodes_and_infer_types()


def split_places_of_highest(model: Any) -> None:
    """Replaces `ArgMax` over (n, length), with which CLIP finds the end of a text, where it has no kernel."""
    found = [node for node in nodes(model, "TopK") if _is_place_of_highest(node)]
    if not found or not lacks_kernels():
        return
    ops = openvino().opset13
    for node in found:
        tokens = node.input_value(0)
        is_highest = ops.equal(tokens, ops.reduce_max(tokens, [1], keep_dims=True))
        length = ops.gather(ops.shape_of(tokens), np.int64(1), 0)
        places = ops.range(np.int64(0), length, np.int64(1), "i64")
        first = ops.reduce_min(ops.select(is_highest, places, length), [1], keep_dims=True)
        node.output(1).replace(first.output(0))
    model.validate_nodes_and_infer_types()


def _is_place_of_highest(node: Any) -> bool:
    count, shape, attributes = constant(node, 1), node.get_output_partial_shape(0), node.get_attributes()
    is_one = count is not None and count.item() == 1 and shape.rank == TOKENS and not node.output(0).get_target_inputs()
    kind = (attributes["mode"], attributes["index_element_type"])
    return is_one and kind == ("max", "i64") and attributes["axis"] in {-1, 1}


def _is_layer_norm(node: Any) -> bool:
    attributes, axes, shape = node.get_attributes(), _axes(node), node.get_output_partial_shape(0)
    if axes is None or axes.size != 1 or shape.rank.is_dynamic or shape[-1].is_dynamic:
        return False
    is_last = axes.item() in {-1, shape.rank.get_length() - 1}
    return is_last and attributes["normalize_variance"] and attributes["eps_mode"] == "INSIDE_SQRT"


def _axes(node: Any) -> Any:
    """Returns the axes of an `MVN`; as ONNX is read, they are a range."""
    source = parent(node, 1)
    if source.get_type_name() != "Range":
        return constant(node, 1)
    ends = [constant(source, index) for index in range(3)]
    return None if any(end is None for end in ends) else np.arange(*(end.item() for end in ends))
