"""Nodes of OpenVINO's graphs, as the rewrites see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

# Nodes whose outputs each depend on the number at the same place of their first input.
SINGLE: Final = frozenset({"Convert", "Multiply", "Add", "Subtract", "Divide", "FakeQuantize"})
# Steps that 8 bits tell apart.
LEVELS: Final = 256


def nodes(model: Any, kind: str) -> Iterator[Any]:
    """Yields the nodes of a type, each after those that it needs."""
    return (node for node in model.get_ordered_ops() if node.get_type_name() == kind)


def parent(node: Any, index: int) -> Any:
    """Returns the node that computes an input."""
    return node.input_value(index).get_node()


def readers(node: Any) -> list[Any]:
    """Returns the inputs that take what a node computes."""
    return list(node.output(0).get_target_inputs())


def stored(node: Any, index: int) -> Any:
    """Returns the value of a constant input as it is stored, before it is converted; None for another input."""
    found = parent(node, index)
    while found.get_type_name() in {"Convert", "Reshape"}:
        found = parent(found, 0)
    return np.asarray(found.data) if found.get_type_name() == "Constant" else None


def norms_last_axis(norm: Any) -> bool:
    """Returns whether an `MVN` is over the last axis alone; as ONNX is read, its axes are a range."""
    axes, rank = parent(norm, 1), norm.get_output_partial_shape(0).rank
    first = constant(axes, 0) if axes.get_type_name() == "Range" else constant(norm, 1)
    if first is None or rank.is_dynamic or axes.get_output_partial_shape(0) != [1]:
        return False
    return first.item() in {-1, rank.get_length() - 1}


def constant(node: Any, index: int) -> Any:
    """Returns the value of a constant input, float32, perhaps converted from another type; None for another input."""
    found = stored(node, index)
    return None if found is None else np.asarray(found, np.float32)
