"""Attention: what stands between its products is put where OpenVINO joins it with them.

* Queries and keys are rounded to 8 bits after they were cut into heads and transposed. Rounded first, a quarter of the
  bytes are transposed, and the dense layer before rounds as it writes.
* PyTorch's exporter transposes keys with their heads joined to the rows, as three nodes that OpenVINO runs one by one.
* It looks for NaN behind the softmax. There is none where each token sees another one.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import SINGLE, constant, nodes, parent, readers

# Nodes that move numbers and leave them as they are.
MOVING: Final = frozenset({"Reshape", "Transpose"})
DENSE: Final = frozenset({"MatMul", "Add"})
HEADS: Final = 4


def rewrite_attention(model: Any) -> None:
    """Rewrites the attention layers of a graph."""
    _drop_nan_tests(model)
    _transpose_at_once(model)
    _round_first(model)


def _drop_nan_tests(model: Any) -> None:
    for node in nodes(model, "Select"):
        test, softmax = parent(node, 0), parent(node, 2)
        if test.get_type_name() == "IsNaN" and softmax.get_type_name() == "Softmax":
            node.output(0).replace(node.input_value(2))


def _transpose_at_once(model: Any) -> None:
    """Transposes the last two axes without joining the first two before and dividing them after it."""
    ops = openvino().opset13
    for divided in nodes(model, "Reshape"):
        swapped = parent(divided, 0)
        order = constant(swapped, 1) if swapped.get_type_name() == "Transpose" else None
        if order is None or order.tolist() != [0, 2, 1] or parent(swapped, 0).get_type_name() != "Reshape":
            continue
        joined = parent(swapped, 0)
        before, after = joined.get_input_partial_shape(0), divided.get_output_partial_shape(0)
        if len(before) == len(after) == HEADS and [after[index] for index in (0, 1, 3, 2)] == list(before):
            divided.output(0).replace(ops.transpose(joined.input_value(0), np.array([0, 1, 3, 2])).output(0))
    model.validate_nodes_and_infer_types()


def _round_first(model: Any) -> None:
    """Moves steps on single numbers from behind what moves the outputs of a dense layer to before it."""
    for node in model.get_ordered_ops():
        while _is_step(node) and _moves_dense(parent(node, 0)):
            moving = parent(node, 0)
            node.output(0).replace(moving.output(0))
            node.input(0).replace_source_output(moving.input_value(0))
            moving.input(0).replace_source_output(node.output(0))
    model.validate_nodes_and_infer_types()


def _is_step(node: Any) -> bool:
    """Whether a node does the same with every number."""
    if node.get_type_name() not in SINGLE:
        return False
    shapes = [entry.get_partial_shape() for entry in node.input_values()[1:]]
    return all(shape.is_static and len(shape) < 2 and math.prod(shape.to_shape()) == 1 for shape in shapes)  # noqa: PLR2004


def _moves_dense(node: Any) -> bool:
    source = node
    while source.get_type_name() in MOVING and len(readers(source)) == 1:
        source = parent(source, 0)
    return source is not node and source.get_type_name() in DENSE | SINGLE and len(readers(source)) == 1
