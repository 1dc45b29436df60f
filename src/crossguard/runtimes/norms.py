"""Layer norm in single steps, where OpenVINO has no kernel for it.

On processors of x86 without AVX2, among them many virtual machines whose processor is a generic one, version 2026.4.1
fails to make the kernel of `MVN` ("bad combination"). Whether this one does is tried.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import constant, nodes, parent

WIDTH: Final = 64


def split_norms(model: Any) -> None:
    """Replaces each `MVN` over the last axis by sums, products and a root."""
    found = [node for node in nodes(model, "MVN") if _is_layer_norm(node)]
    if not found or computes_norms():
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


def _is_layer_norm(node: Any) -> bool:
    attributes, axes, shape = node.get_attributes(), _axes(node), node.get_output_partial_shape(0)
    if axes is None or axes.size != 1 or shape.rank.is_dynamic or shape[-1].is_dynamic:
        return False
    last = axes.item() in {-1, shape.rank.get_length() - 1}
    return last and attributes["normalize_variance"] and attributes["eps_mode"] == "INSIDE_SQRT"


def _axes(node: Any) -> Any:
    """Returns the axes of an `MVN`; as ONNX is read, they are a range."""
    source = parent(node, 1)
    if source.get_type_name() != "Range":
        return constant(node, 1)
    ends = [constant(source, index) for index in range(3)]
    return None if any(end is None for end in ends) else np.arange(*(end.item() for end in ends))


@cache
def computes_norms() -> bool:
    """Whether OpenVINO computes a layer norm on this processor; takes 20 ms."""
    ov = openvino()
    values = ov.opset13.parameter([1, WIDTH], np.float32)
    norm = ov.opset13.mvn(values, [-1], normalize_variance=True, eps=1e-5, eps_mode="inside_sqrt")
    try:
        compiled = ov.Core().compile_model(ov.Model([norm], [values]), "CPU", {"NUM_STREAMS": 1})
        found = compiled([np.arange(WIDTH, dtype=np.float32)[None]])[0]
    except RuntimeError:
        return False
    # A single stream may hide the error: what comes out then is empty.
    return found.shape == (1, WIDTH) and bool(np.isclose(found.std(), 1, atol=0.01))
