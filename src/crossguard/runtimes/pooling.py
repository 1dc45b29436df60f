"""Of the last layer, only the row is computed that its tower says: the end token's, or the first one of an image.

The steps behind the last attention treat each row alone. So the row is picked before them, and not from their results.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import SINGLE, constant, nodes, norms_last_axis

# Nodes that treat each row of (n, rows, width) alone, as far as `by_row` says.
BY_ROW: Final = SINGLE | {"MatMul", "MVN", "Gelu", "Sigmoid", "Swish"}
RANK: Final = 3


def pick_first(model: Any) -> None:
    """Rewrites the steps behind which a graph picks one row of each text or image."""
    for kind in ("Gather", "GatherND"):
        for pick in nodes(model, kind):
            behind = _only_for(model, pick) if _picks_a_row(pick) else []
            if any(node.get_type_name() == "MatMul" for node in behind):
                _move(pick, behind)
    model.validate_nodes_and_infer_types()


def _picks_a_row(pick: Any) -> bool:
    if len(pick.get_input_partial_shape(0)) != RANK or pick.get_attributes()["batch_dims"]:
        return False
    place = pick.get_input_partial_shape(1)
    if pick.get_type_name() == "GatherND":
        return len(place) == 2 and place[1] == 2  # noqa: PLR2004 which text, and which of its rows
    axis = constant(pick, 2)
    return axis is not None and axis.item() == 1 and not len(place)


def _only_for(model: Any, pick: Any) -> list[Any]:
    """Returns the nodes whose results serve nothing but the pick, as far as each treats every row alone."""
    found = {pick.get_name(): pick}
    for node in reversed(model.get_ordered_ops()):
        serves = [
            port.get_node().get_name() in found for output in node.outputs() for port in output.get_target_inputs()
        ]
        if serves and all(serves) and by_row(node):
            found[node.get_name()] = node
    return [*found.values()][1:]


def by_row(node: Any) -> bool:
    """Returns whether a node treats each row of (n, rows, width) alone."""
    if node.get_type_name() not in BY_ROW or len(node.get_output_partial_shape(0)) != RANK:
        return False
    if node.get_type_name() == "MVN":
        return norms_last_axis(node)
    if node.get_type_name() == "MatMul":
        return not node.get_attributes()["transpose_a"] and len(node.get_input_partial_shape(1)) < RANK
    return all(
        has_rows(entry) or all(size == 1 for size in list(entry.get_partial_shape())[:-1])
        for entry in node.input_values()
    )


def has_rows(value: Any) -> bool:
    """Returns whether a value is of many rows per text or image."""
    shape = value.get_partial_shape()
    return len(shape) == RANK and shape[1] != 1


def _move(pick: Any, behind: list[Any]) -> None:
    """Lets nodes take the picked row of each of their inputs, (n, 1, width), and the pick pass on what they say."""
    inside = {node.get_name() for node in behind}
    outside: dict[str, Any] = {}
    for port in (port for node in behind for port in node.inputs()):
        value = port.get_source_output()
        name = value.get_node().get_name()
        if has_rows(value) and name not in inside:
            if name not in outside:
                outside[name] = _one_row(pick, value)
            port.replace_source_output(outside[name])
    pick.output(0).replace(openvino().opset13.squeeze(pick.input_value(0), np.array([1])).output(0))


def _one_row(pick: Any, value: Any) -> Any:
    ops = openvino().opset13
    place = pick.input_value(1)
    picked = ops.gather(value, place, 1) if pick.get_type_name() == "Gather" else ops.gather_nd(value, place)
    return ops.unsqueeze(picked, np.array([1])).output(0)
