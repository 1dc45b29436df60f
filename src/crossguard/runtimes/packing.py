"""Texts in rows of a fixed number of tokens, one behind the other; none sees the tokens of another.

So texts are not padded to the length of others, and the encoder has one shape, whose kernels are made once: attention
takes (rows, row, width), dense layers (1, rows * row, width). Embeddings and pooling take the texts one below the
other, (n, length). A score is the same in each shape, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.runtimes.attention import HEADS
from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import nodes, parent, readers
from crossguard.runtimes.pooling import RANK, by_row, has_rows

MASK: Final = "attention_mask"
TOKENS: Final = "tokens"
"""Input that a packed graph takes besides: where each token of the rows stands in the mask, int64, (rows * row,)."""
PLACES: Final = "places"
"""And that: which token of the rows is at each place of the mask, int64, (n, length); any where there is none."""
OWNERS: Final = "owners"
"""And that: the text of each token, int64, (rows, row); 0 where a row is not filled."""
Shape: TypeAlias = tuple[int, int]
LONE: Final = "row"
MANY: Final = "rows"
SHAPES: Final[Mapping[str, Shape]] = {LONE: (1, 64), MANY: (3, 96)}
"""Rows of a job, and tokens of a row, of each packed graph: of what a lone post mostly has, and of many texts.

In longer rows, tokens of many texts are compared in vain. Rows of 64 would be a twentieth faster, but longer texts
would need a third graph, which takes 100 MB. One row takes a seventh longer than one of two, because all weights are
read for it.
"""
IMAGES: Final = "images"
"""A large image encoder for full jobs; see `base.Runtime.fills`."""
SOURCES: Final[Mapping[str, str]] = {**dict.fromkeys(SHAPES, "text"), IMAGES: "image"}
"""The graph of a bundle that each of those is made of."""
# Texts come in multiples of this, because kernels are made for each number of them.
TEXTS: Final = 4
HIDDEN: Final = -1e9
# Of English posts, on average; and the tokens before and behind a text.
CHARACTERS_PER_TOKEN: Final = 4.2
AROUND: Final = 2


def shape_of(tokens: int) -> str:
    """Returns which packed graph takes texts of so many tokens together."""
    return LONE if tokens <= SHAPES[LONE][1] else MANY


def first_needed(*, one_by_one: bool, characters: int = 0) -> str:
    """Returns which packed graph the first posts need; `characters` is how long a lone text is, where that is known."""
    return shape_of(int(characters / CHARACTERS_PER_TOKEN) + AROUND) if one_by_one else MANY


def needed(kept: Iterable[str]) -> list[str]:
    """Returns those of the graphs that are kept compiled which the first posts need: a packed one for `text`."""
    names = list(kept)
    return [name for name in names if name != "text" or SHAPES.keys().isdisjoint(names)]


def pack(model: Any, shape: Shape) -> None:
    """Rewrites a text graph whose mask hides padding; another one, and one where tokens meet elsewhere, is left."""
    first = next(nodes(model, "MVN"), None)
    if first is None or MASK not in {port.get_any_name() for port in model.inputs}:
        return
    source, masks = parent(first, 0), _masks(model)
    before = source.get_output_partial_shape(0)
    if not masks or before.rank != RANK or before[-1].is_dynamic:
        return
    entries, exits = _edges(model, source)
    heads = [port for port in exits if _divides_heads(port.get_node())]
    if not (entries and heads) or any(port.get_partial_shape()[-1] != before[-1] for port in exits):
        return
    ops, width = openvino().opset13, before[-1].get_length()
    kinds = ((TOKENS, [math.prod(shape)]), (PLACES, [-1, -1]), (OWNERS, list(shape)))
    tokens, places, owners = added = [ops.parameter(size, np.int64, name=name) for name, size in kinds]
    for parameter in added:
        parameter.output(0).set_names({parameter.get_friendly_name()})
    own = ops.equal(ops.unsqueeze(owners, [1, 3]), ops.unsqueeze(owners, [1, 2]))
    ports = readers(source)
    texts = ops.reshape(source, [-1, width], special_zero=False)
    _replace(ports, ops.unsqueeze(ops.gather(texts, tokens, 0), [0]))
    _replace(masks, ops.select(own, np.float32(0), np.float32(HIDDEN)))
    _replace([node.input(1) for node in entries], ops.constant([1, math.prod(shape), width], dtype=np.int64))
    for port in exits:
        if port in heads:
            size = port.get_node().get_output_partial_shape(0)[-1].get_length()
            _replace([port.get_node().input(1)], ops.constant([*shape, width // size, size], dtype=np.int64))
        else:
            _replace([port], ops.gather(ops.squeeze(port.get_source_output(), [0]), places, 0))
    model.add_parameters(added)
    model.validate_nodes_and_infer_types()


def _replace(ports: Iterable[Any], node: Any) -> None:
    for port in ports:
        port.replace_source_output(node.output(0))


def _masks(model: Any) -> list[Any]:
    """Returns the inputs by which each attention hides padding; none if one hides anything else, or adds to scores."""
    found = []
    for softmax in nodes(model, "Softmax"):
        ports = parent(softmax, 0).inputs() if parent(softmax, 0).get_type_name() == "Add" else []
        shared = [port for port in ports if port.get_partial_shape().rank == HEADS and port.get_partial_shape()[1] == 1]
        if len(shared) != 1:
            return []
        found += shared
    values = {port.get_source_output().get_node().get_name(): port.get_source_output() for port in found}
    return found if values and all(_hides_padding(model, value) for value in values.values()) else []


def _hides_padding(model: Any, value: Any) -> bool:
    ov = openvino()
    mask = np.array([[1, 1, 1], [1, 0, 0]])
    computed = ov.Core().compile_model(ov.Model([value], model.get_parameters()), "CPU")
    added = np.asarray(computed({port.get_any_name(): mask for port in computed.inputs})[0])
    shown = np.broadcast_to(mask[:, None, None] > 0, (2, 1, 3, 3))
    added = np.broadcast_to(added, shown.shape)
    return bool((added[shown] == 0).all() and (added[~shown] <= HIDDEN).all())


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


def _divides_heads(node: Any) -> bool:
    if node.get_type_name() != "Reshape" or node.get_output_partial_shape(0).rank != HEADS:
        return False
    return bool(node.get_output_partial_shape(0)[-1].is_static)


def packed(feed: Mapping[str, NDArray[Any]], shape: Shape) -> dict[str, NDArray[Any]]:
    """Returns what a packed graph takes for ids and mask of texts that go into the rows in their order."""
    more = -len(feed[MASK]) % TEXTS
    filled = {name: np.pad(values, ((0, more), (0, 0))) for name, values in feed.items()}
    mask = filled[MASK]
    found = np.flatnonzero(mask)
    tokens, owners = np.zeros(math.prod(shape), np.int64), np.zeros(shape, np.int64)
    places = np.zeros(mask.shape, np.int64)
    stands = _stands(mask.sum(axis=1).tolist(), shape[1])
    tokens[stands] = found
    owners.flat[stands] = 1 + found // mask.shape[1]
    places.flat[found] = stands
    return filled | {TOKENS: tokens, PLACES: places, OWNERS: owners}


def _stands(lengths: Sequence[int], row: int) -> list[int]:
    """Returns where each token stands: behind the text before it, or in the next row where its text is too long."""
    stands: list[int] = []
    end = 0
    for length in lengths:
        start = end if end % row + length <= row else -(-end // row) * row
        end = start + length
        stands += range(start, end)
    return stands
