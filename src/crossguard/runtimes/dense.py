"""Dense layers, most of all those in 8 bits.

* Inputs are counted from zero, and what that leaves out is added with the bias. OpenVINO subtracts the zero point of an
  input from each product, number by number. But `(x + z) W = x W + z W`, and the second term is the same for every row.
  The steps stay the same, so that only the last bits of a sum differ.
* GELU by tanh takes longer than GELU itself. They differ by less than .0005, so that one stands for the other where the
  result is rounded to larger steps.
* Where the number of rows is known, they are convolutions of one pixel, for which OpenVINO has faster kernels, in
  other precisions too. Rows of all texts or images stand one below the other: kernels take them sixteen at a time.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from crossguard.runtimes.library import openvino
from crossguard.runtimes.nodes import LEVELS, constant, dequantized, nodes, parent, readers, reads_only, signed, stored
from crossguard.runtimes.pooling import RANK

# The zero point of steps that are signed and symmetric, which are multiplied as they are.
MIDDLE: Final = 128
GELUS_DIFFER: Final = 0.0005
ROWS_TO_PIXELS: Final = [0, 3, 1, 2]
PIXELS_TO_ROWS: Final = [0, 2, 3, 1]


def count_from_zero(model: Any) -> None:
    """Rewrites the dense layers of a graph whose inputs are rounded to steps with a zero point."""
    ops = openvino().opset13
    for rounding in nodes(model, "FakeQuantize"):
        steps = signed(rounding)
        if steps is None or rounding.get_attributes()["levels"] != LEVELS or not reads_only(rounding, "MatMul"):
            continue
        low, high = steps
        layers = [port.get_node() for port in readers(rounding)]
        shifts = [_shift(layer, rounding, low) for layer in layers]
        span = np.float32(high - low)
        if round(-low / span * (LEVELS - 1)) == MIDDLE or any(shift is None for shift in shifts):
            continue
        edges = [rounding.input_value(index) for index in (1, 2)]
        counted = ops.fake_quantize(rounding.input_value(0), *edges, np.float32(0), span, LEVELS)
        for layer, shift in zip(layers, shifts, strict=True):
            layer.input(0).replace_source_output(counted.output(0))
            _add(layer, shift)


def drop_tanh(model: Any) -> None:
    """Computes GELU and not its form by tanh, where the difference is smaller than a step of 8 bits."""
    ops = openvino().opset13
    for gelu in nodes(model, "Gelu"):
        if gelu.get_attributes()["approximation_mode"] != "ERF" and _step_behind(gelu) > GELUS_DIFFER:
            gelu.output(0).replace(ops.gelu(gelu.input_value(0), "erf").output(0))


def name_swish(model: Any) -> None:
    """Names `x * sigmoid(factor * x)` what it is, so that it can follow a convolution as one step."""
    ops = openvino().opset13
    for sigmoid in nodes(model, "Sigmoid"):
        scaled, ports = parent(sigmoid, 0), readers(sigmoid)
        factor = constant(scaled, 1) if scaled.get_type_name() == "Multiply" else None
        product = ports[0].get_node()
        if factor is None or factor.size > 1 or len(ports) > 1 or product.get_type_name() != "Multiply":
            continue
        if product.input_value(1 - ports[0].get_index()) == scaled.input_value(0):
            swish = ops.swish(scaled.input_value(0), ops.constant(factor.reshape(())))
            product.output(0).replace(swish.output(0))


def as_convolutions(model: Any) -> None:
    """Rewrites dense layers of a known number of rows, (n, rows, width), and the steps on their numbers behind them."""
    for layer in nodes(model, "MatMul"):
        shape = layer.get_input_partial_shape(0)
        weights = _kernel(layer) if shape.is_static and len(shape) == RANK else None
        if weights is not None:
            _convolve(layer, weights)
    model.validate_nodes_and_infer_types()


def _kernel(layer: Any) -> Any:
    """Returns the weights of a dense layer in 8 bits or not rounded, (width of the output, width, 1, 1); else None."""
    ops, found = openvino().opset13, _weights(layer)
    plain, attributes = constant(layer, 1), layer.get_attributes()
    if plain is not None and not (attributes["transpose_a"] or attributes["transpose_b"]):
        return ops.unsqueeze(ops.transpose(layer.input_value(1), [1, 0]), [2, 3])  # copied when it is compiled
    if found is None or not _rounded(layer.input_value(0)):
        return None
    steps, zero, scale = found
    if zero.any() or steps.itemsize > 1:
        return None
    kernel = np.ascontiguousarray(steps.T)[..., None, None]
    return ops.multiply(ops.convert(ops.constant(kernel), "f32"), ops.constant(scale.reshape(-1, 1, 1, 1)))


def _rounded(value: Any) -> bool:
    """Whether numbers were rounded to 8 bits, and only moved and scaled since."""
    node = value.get_node()
    while node.get_type_name() in {"Reshape", "Transpose", "Convert", "Subtract", "Multiply"}:
        node = parent(node, 0)
    return bool(node.get_type_name() == "FakeQuantize")


def _convolve(layer: Any, weights: Any) -> None:
    ops, pixels = openvino().opset13, _pixels_before(layer)
    count, rows, width = layer.get_input_partial_shape(0).to_shape()
    if pixels is None:
        below = ops.reshape(layer.input_value(0), [1, count * rows, 1, width], special_zero=False)
        pixels = ops.transpose(below, ROWS_TO_PIXELS)
    found = ops.convolution(pixels, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    last = layer
    while (step := _step_of_pixels(last, found)) is not None:
        last, found = readers(last)[0].get_node(), step
    apart = ops.reshape(ops.transpose(found, PIXELS_TO_ROWS), [count, rows, -1], special_zero=False)
    for port in readers(last):
        port.replace_source_output(apart.output(0))


def _pixels_before(layer: Any) -> Any:
    """Returns the pixels that a layer's rows were made of, if they were convolved before; else None."""
    moved = parent(parent(layer, 0), 0) if parent(layer, 0).get_type_name() == "Reshape" else None
    order = constant(moved, 1) if moved is not None and moved.get_type_name() == "Transpose" else None
    return parent(moved, 0) if order is not None and order.tolist() == PIXELS_TO_ROWS else None


def _step_of_pixels(node: Any, pixels: Any) -> Any:
    """Returns the step that follows a node, done to pixels; None where there are several, or others take part."""
    ops, ports = openvino().opset13, readers(node)
    step = ports[0].get_node()
    kind, place = step.get_type_name(), ports[0].get_index()
    if len(ports) != 1 or kind not in {"Add", "Multiply", "Gelu", "Swish", "FakeQuantize"}:
        return None
    others = [constant(step, index) for index in range(step.get_input_size()) if index != place]
    if any(value is None or (value.size > 1 and kind == "FakeQuantize") for value in others):
        return None
    if kind == "Gelu":
        return ops.gelu(pixels, step.get_attributes()["approximation_mode"].lower())
    if kind == "Swish":
        return ops.swish(pixels, step.input_value(1))
    if kind == "FakeQuantize":
        return ops.fake_quantize(pixels, *(step.input_value(index) for index in range(1, 5)), LEVELS)
    known = ops.constant(others[0].reshape(-1, 1, 1))
    return ops.add(pixels, known) if kind == "Add" else ops.multiply(pixels, known)


def _step_behind(node: Any) -> float:
    """Returns the size of the steps that a result is rounded to next, perhaps scaled before that; 0 without any."""
    scale, found = 1.0, readers(node)
    if len(found) == 1 and found[0].get_node().get_type_name() == "Multiply":
        factors = constant(found[0].get_node(), 1 - found[0].get_index())
        if factors is None:
            return 0.0
        scale, found = float(np.abs(factors).max()), readers(found[0].get_node())
    if len(found) != 1 or found[0].get_node().get_type_name() != "FakeQuantize":
        return 0.0
    low, high = (constant(found[0].get_node(), index) for index in (1, 2))
    if low is None or high is None or not scale:
        return 0.0
    return float((high - low).min()) / (LEVELS - 1) / scale


def _shift(layer: Any, rounding: Any, zero: float) -> Any:
    """Returns what a dense layer makes of rows that are `zero` everywhere; None for another product."""
    found = _weights(layer) if parent(layer, 0) == rounding else None
    if found is None:
        return None
    steps, middle, scale = found
    return (zero * ((steps.astype(np.float64) - middle) * scale).sum(axis=0)).astype(np.float32)


def _weights(layer: Any) -> tuple[Any, Any, Any] | None:
    """Returns the weights of a dense layer, as stored in steps, with the zero point and the scale of these.

    The steps are (width, width of the output); None where they are no constant.
    """
    attributes, found = layer.get_attributes(), dequantized(parent(layer, 1))
    if found is None or attributes["transpose_a"] or attributes["transpose_b"]:
        return None
    source, zero, scale = found
    steps = stored(source)
    return None if steps is None else (steps, zero, scale)


def _add(layer: Any, shift: Any) -> None:
    ops = openvino().opset13
    ports = readers(layer)
    if len(ports) == 1 and ports[0].get_node().get_type_name() == "Add":
        bias = 1 - ports[0].get_index()
        known = constant(ports[0].get_node(), bias)
        if known is not None:
            ports[0].get_node().input(bias).replace_source_output(ops.constant(known + shift).output(0))
            return
    shifted = ops.add(layer, ops.constant(shift))
    for port in ports:
        port.replace_source_output(shifted.output(0))
