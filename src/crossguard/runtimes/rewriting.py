"""Reads a graph into OpenVINO, and rewrites what its compiler makes slow code of. What is computed stays the same.

* With AMX, OpenVINO has no 8-bit convolution of *signed* numbers with a zero point and computes it in float32: half of
  the time of an 8-bit image encoder, which then cannot be compiled in bf16 at all. The same steps counted from zero, as
  a `FakeQuantize` leaves them to be, are multiplied in 8 bits.
* A table of embeddings stored in 8 bits would be kept in float32, four times as large: rows are looked up first, and
  only they are converted.
* Pixels come with their three channels last, where arithmetic per channel takes three numbers at a time.
* Dense layers, attention, the last layer and padding: see `dense.py`, `attention.py`, `pooling.py` and `packing.py`.
* What some processors do not compute, or compute wrongly: see `fallbacks.py`.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from crossguard.machine import X86, has_amx
from crossguard.runtimes.attention import rewrite_attention
from crossguard.runtimes.dense import as_convolutions, count_from_zero, drop_tanh, name_swish
from crossguard.runtimes.fallbacks import convert_weights, split_steps
from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS, SINGLE, constant, dequantized, nodes, parent, reads_only, signed
from crossguard.runtimes.packing import Shape, pack
from crossguard.runtimes.pooling import pick_first

EDITION: Final = 14
"""Of what is rewritten; compiled graphs are kept by it."""
CHANNELS_FIRST: Final = [0, 3, 1, 2]
BITS: Final = 8


def read_model(
    core: Any, path: Path, *, amx: bool | None = None, rows: Shape | None = None, images: int | None = None
) -> Any:
    """Returns the graph of a file.

    Args:
        core: OpenVINO's.
        path: The ONNX file.
        amx: Whether the processor has 8-bit AMX; looked up when None.
        rows: The rows to pack texts into, where the graph is one of texts that can be packed.
        images: How many images the graph always takes; any number when None.

    Raises:
        RuntimeError: OpenVINO cannot read it.
    """
    model = core.read_model(path)
    _look_up_stored(model)
    amx = has_amx() if amx is None else amx
    if platform.machine() in X86:  # where it was measured; elsewhere, unsigned steps may have no kernel
        _drop_zero_points(model, everywhere=amx)
        count_from_zero(model)
        drop_tanh(model)
    rewrite_attention(model)
    pick_first(model)
    _transpose_first(model)
    if rows is not None:
        pack(model, rows)
    if images is not None:
        _, *size = model.input(0).partial_shape
        model.reshape([images, *size])
    if (rows or images) and amx:  # without it, OpenVINO's kernels of these convolutions gave other sums
        name_swish(model)
        as_convolutions(model)
    split_steps(model)  # last, because the others look for what it replaces
    convert_weights(model)
    return model


def _look_up_stored(model: Any) -> None:
    """Looks rows up in a table as it is stored, and only then converts them and multiplies each by its scale."""
    ops = openvino().opset13
    for node in nodes(model, "Gather"):
        table, axis = _stored_table(parent(node, 0)), constant(node, 2)
        if table is None or axis is None or axis.any():
            continue
        rows, first = node.input_value(1), node.input_value(2)
        found = ops.convert(ops.gather(table, rows, first), "f32")
        node.output(0).replace(ops.multiply(found, ops.gather(parent(node, 0).input_value(1), rows, first)).output(0))


def _stored_table(scaled: Any) -> Any:
    """Returns the 8-bit constant of `convert(constant) * scale` with a scale per row and no zero point, else None."""
    found, table = dequantized(scaled), scaled.get_output_partial_shape(0)
    if found is None or found[1].any() or table.is_dynamic:
        return None
    source, has_rows = found[0], list(scaled.input_value(1).get_shape()) == [table[0].get_length(), 1]
    is_small = source.get_type_name() == "Constant" and source.get_element_type().bitwidth == BITS
    return source if is_small and has_rows else None


def _drop_zero_points(model: Any, *, everywhere: bool) -> None:
    """Replaces quantising to signed steps with a zero point, and back, by one node that says the same.

    Weights are left, as they are quantised in the file, and so are steps with a scale per channel.

    Args:
        model: The graph.
        everywhere: Whether before convolutions, too, and not only before dense layers.
    """
    ops = openvino().opset13
    for node in nodes(model, "Multiply"):
        found = dequantized(node)
        steps = signed(found[0]) if found is not None else None
        if found is None or steps is None or not (everywhere or reads_only(node, "MatMul")):
            continue
        quantize, zero, scale = found
        if zero.size == scale.size == 1 and zero.item():
            bounds = [np.float32((edge - zero.item()) * scale.item()) for edge in steps]
            rounded = ops.fake_quantize(quantize.input_value(0), *bounds, *bounds, LEVELS)
            node.output(0).replace(rounded.output(0))


def _transpose_first(model: Any) -> None:
    """Puts channels first before pixels are normalised, and not after it: the same numbers in another order."""
    ops = openvino().opset13
    for node in nodes(model, "Transpose"):
        chain, order = list(_steps_above(node)), constant(node, 1)
        if not chain or order is None or order.tolist() != CHANNELS_FIRST:
            continue
        moved = ops.transpose(chain[-1].input_value(0), node.input_value(1))
        chain[-1].input(0).replace_source_output(moved.output(0))
        for step in chain:
            for port in step.inputs()[1:]:
                values = port.get_source_output()
                if values.get_shape():
                    port.replace_source_output(
                        ops.reshape(values, [*values.get_shape(), 1, 1], special_zero=False).output(0)
                    )
        node.output(0).replace(node.input_value(0))
        model.validate_nodes_and_infer_types()


def _steps_above(node: Any) -> Iterator[Any]:
    """Yields the nodes from this one up to an input of the graph, if each has an effect on single numbers only."""
    steps = []
    while (node := parent(node, 0)).get_type_name() in SINGLE:
        shapes = [entry.get_partial_shape() for entry in node.input_values()[1:]]
        if any(shape.is_dynamic or len(shape) > 1 for shape in shapes) or len(node.output(0).get_target_inputs()) > 1:
            return
        steps.append(node)
    if node.get_type_name() == "Parameter" and any(step.get_input_size() > 1 for step in steps):
        yield from steps
