"""How the rewrites look at the nodes of a graph."""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from crossguard.runtimes.nodes import constant, nodes, parent, readers


def test_nodes_parents_readers_and_constants_are_found() -> None:
    x = ops.parameter([-1, 2], np.float32)
    stored = ops.convert(
        ops.reshape(ops.constant(np.array([3, 4], np.int8)), np.array([1, 2]), special_zero=False), "f32"
    )
    product = ops.multiply(x, stored)
    model = ov.Model([ops.add(product, x)], [x])
    (multiply,), (add,) = nodes(model, "Multiply"), nodes(model, "Add")
    assert parent(add, 0) == multiply
    assert parent(multiply, 1).get_type_name() == "Convert"
    assert [port.get_node() for port in readers(multiply)] == [add]
    assert constant(multiply, 1).tolist() == [3, 4]
    assert constant(multiply, 1).dtype == np.float32
    assert constant(add, 1) is None
