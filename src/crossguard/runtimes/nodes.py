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


def reads_only(node: Any, kind: str) -> bool:
    """Whether all that take what a node computes are of a type."""
    return all(port.get_node().get_type_name() == kind for port in readers(node))


def stored(node: Any) -> Any:
    """Returns the value of a constant as it is stored, before it is converted; None for another node."""
    while node.get_type_name() in {"Convert", "Reshape"}:
        node = parent(node, 0)
    return np.asarray(node.data) if node.get_type_name() == "Constant" else None


def norms_last_axis(norm: Any) -> bool:
    """Returns whether an `MVN` is over the last axis alone; as ONNX is read, its axes are a range."""
    axes, rank = parent(norm, 1), norm.get_output_partial_shape(0).rank
    first = constant(axes, 0) if axes.get_type_name() == "Range" else constant(norm, 1)
    if first is None or rank.is_dynamic or axes.get_output_partial_shape(0) != [1]:
        return False
    return first.item() in {-1, rank.get_length() - 1}


def constant(node: Any, index: int) -> Any:
    """Returns the value of a constant input, float32, perhaps converted from another type; None for another input."""
    found = stored(parent(node, index))
    return None if found is None else np.asarray(found, np.float32)


def dequantized(node: Any) -> tuple[Any, Any, Any] | None:
    """Returns `source`, zero point and scale of `(convert(source) - zero point) * scale`, where both are constants.

    The zero point is 0 where nothing is subtracted. None for another node.
    """
    if node.get_type_name() != "Multiply":
        return None
    source, scale = parent(node, 0), constant(node, 1)
    zero: Any = np.zeros((), np.float32)
    if source.get_type_name() == "Subtract":
        source, zero = parent(source, 0), constant(source, 1)
    while source.get_type_name() == "Convert":
        source = parent(source, 0)
    return None if zero is None or scale is None else (source, zero, scale)


def signed(node: Any) -> tuple[float, float] | None:
    """Returns the lowest and the highest number that a node rounds to, if the lowest is below zero; else None."""
    edges = [constant(node, index) for index in (3, 4)] if node.get_type_name() == "FakeQuantize" else []
    if not edges or any(edge is None or edge.size > 1 for edge in edges) or edges[0].item() >= 0:
        return None
    return edges[0].item(), edges[1].item()
