"""Texts without their padding, wherever each token is treated alone: in all but attention and pooling.

A job's tokens stand there in one row, (1, tokens, width), and are put back to their texts, (n, length, width), where
they meet. Padding then costs next to nothing, and the kernels of dense layers hang on the number of tokens only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.runtimes.attention import HEADS
from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import nodes, parent, readers
from crossguard.runtimes.pooling import RANK, by_row, has_rows

MASK: Final = "attention_mask"
TOKENS: Final = "tokens"
"""Input that a packed graph takes besides: where each token stands in the mask, int64, (tokens,)."""
PLACES: Final = "places"
"""And that: which token is at each place of the mask, int64, (n, length); any where there is none."""
# Few numbers of tokens, because kernels are made for each: powers of two, then multiples.
FEWEST: Final = 16
STEP: Final = 128
# Texts come alone or in multiples of this. With any number of them, scoring took 30 MiB more.
ROWS: Final = 4


def pack(model: Any) -> None:
    """Rewrites a text graph that takes a mask; another one, and one in which tokens meet elsewhere, is left."""
    first = next(nodes(model, "MVN"), None)
    if first is None or MASK not in {port.get_any_name() for port in model.inputs}:
        return
    source = parent(first, 0)
    shape = source.get_output_partial_shape(0)
    if shape.rank != RANK or shape[-1].is_dynamic:
        return
    entries, exits = _edges(model, source)
    width = shape[-1]
    if not entries or any(port.get_partial_shape()[-1] != width for port in exits):
        return
    ops = openvino().opset13
    tokens, places = (ops.parameter([-1] * rank, np.int64, name=name) for rank, name in ((1, TOKENS), (2, PLACES)))
    for parameter in (tokens, places):
        parameter.output(0).set_names({parameter.get_friendly_name()})
    for entry in (source, *entries):
        ports = readers(entry)
        rows = ops.reshape(entry, np.array([-1, width.get_length()]), special_zero=False)
        packed = ops.unsqueeze(ops.gather(rows, tokens, np.int64(0)), np.array([0]))
        for port in ports:
            port.replace_source_output(packed.output(0))
    apart: dict[str, Any] = {}
    for port in exits:
        name = port.get_source_output().get_node().get_name()
        if name not in apart:
            apart[name] = ops.gather(ops.squeeze(port.get_source_output(), np.array([0])), places, np.int64(0))
        port.replace_source_output(apart[name].output(0))
    model.add_parameters([tokens, places])
    model.validate_nodes_and_infer_types()


def _edges(model: Any, source: Any) -> tuple[list[Any], list[Any]]:
    """Returns the nodes that join heads to rows, and the inputs that take rows to where tokens meet."""
    inside = {source.get_name()}
    entries, exits = [], []
    for node in model.get_ordered_ops():
        taken = [port for port in node.inputs() if port.get_source_output().get_node().get_name() in inside]
        if taken and by_row(node) and len(taken) == sum(map(has_rows, node.input_values())):
            inside.add(node.get_name())
        elif taken:
            exits += taken
        elif _joins_heads(node):
            entries.append(node)
            inside.add(node.get_name())
    return entries, exits


def _joins_heads(node: Any) -> bool:
    if node.get_type_name() != "Reshape":
        return False
    return bool(node.get_input_partial_shape(0).rank == HEADS and node.get_output_partial_shape(0).rank == RANK)


def packed_size(tokens: int) -> int:
    """Returns how many tokens a job of so many is filled up to."""
    return max(FEWEST, 1 << (tokens - 1).bit_length()) if tokens <= STEP else -(-tokens // STEP) * STEP


def packed(feed: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Returns what a packed graph takes in place of ids and mask; rows of nothing are added to them."""
    rows = len(feed[MASK])
    more = -rows % ROWS if rows > 1 else 0
    filled = {name: np.pad(values, ((0, more), (0, 0))) for name, values in feed.items()}
    found = np.flatnonzero(filled[MASK])
    tokens = np.zeros(packed_size(len(found)), np.int64)
    tokens[: len(found)] = found
    places = np.zeros(filled[MASK].size, np.int64)
    places[found] = np.arange(len(found))
    return filled | {TOKENS: tokens, PLACES: places.reshape(filled[MASK].shape)}


def example(inputs: Iterable[Any], rows: int, tokens: int) -> dict[str, Any]:
    """Returns something for the inputs of a graph: so many rows, of so many tokens each if they are texts."""
    feed = {}
    for port in inputs:
        free = iter((rows, tokens))
        shape = [entry.get_length() if entry.is_static else next(free) for entry in port.partial_shape]
        feed[port.get_any_name()] = np.ones(shape, dtype=port.element_type.to_dtype())
    return packed({name: feed[name] for name in feed.keys() - {TOKENS, PLACES}}) if TOKENS in feed else feed
