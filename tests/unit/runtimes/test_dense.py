"""Dense layers are rewritten, and say what they said."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, product, types_of

from crossguard.runtimes.dense import as_convolutions, count_from_zero, drop_tanh, name_swish
from crossguard.runtimes.nodes import constant, nodes, parent

RANDOM = np.random.default_rng(0)
X = np.linspace(-3, 4, 12, dtype=np.float32).reshape(3, 4)
STEPS = RANDOM.integers(-128, 128, (4, 5), dtype=np.int8)
SCALES = np.linspace(0.01, 0.03, 5, dtype=np.float32).reshape(1, 5)
BIAS = np.linspace(-1, 1, 5, dtype=np.float32)


def weights(zero: Any = None) -> Any:
    """Returns weights as they are stored: whole steps, a zero point perhaps, and a scale per column."""
    steps = ops.convert(ops.constant(STEPS), "f32")
    if zero is not None:
        steps = ops.subtract(steps, ops.convert(ops.constant(np.int8(zero)), "f32"))
    return ops.multiply(steps, ops.constant(SCALES))


def rounded(x: Any, low: float = -1.0, high: float = 2.0) -> Any:
    """Returns numbers rounded to 256 steps, so that their zero point is the 85th."""
    edges = [np.float32(low), np.float32(high)]
    return ops.fake_quantize(x, *edges, *edges, 256)


def graph(build: Any) -> Any:
    """Returns a graph from `x`, float32, (n, 4)."""
    x = ops.parameter([-1, 4], np.float32, name="x")
    return ov.Model([build(x)], [x])


def lowest(model: Any) -> Any:
    """Returns the lowest output of its rounding."""
    (rounding,) = nodes(model, "FakeQuantize")
    return constant(rounding, 3).item()


@pytest.mark.parametrize("zero", [None, 3])
def test_a_zero_point_is_added_with_the_bias(zero: int | None) -> None:
    model = graph(lambda x: ops.add(product(rounded(x), weights(zero)), ops.constant(BIAS)))
    exact, before = computed(model, X), types_of(model)
    count_from_zero(model)
    assert lowest(model) == 0
    assert types_of(model).count("Add") == before.count("Add")
    np.testing.assert_allclose(computed(model, X), exact, rtol=1e-4, atol=1e-4)


def test_a_layer_without_a_bias_gets_one() -> None:
    model = graph(lambda x: product(rounded(x), weights()))
    exact = computed(model, X)
    count_from_zero(model)
    assert "Add" in types_of(model)
    np.testing.assert_allclose(computed(model, X), exact, rtol=1e-4, atol=1e-4)


def test_layers_that_share_an_input_share_its_steps() -> None:
    def build(x: Any) -> Any:
        steps = rounded(x)
        first, second = (product(steps, weights(zero)) for zero in (None, 7))
        return ops.add(first, ops.relu(second))

    model = graph(build)
    exact = computed(model, X)
    count_from_zero(model)
    assert lowest(model) == 0
    np.testing.assert_allclose(computed(model, X), exact, rtol=1e-4, atol=1e-4)


def both_ways(x: Any) -> Any:
    steps = rounded(x)
    return ops.concat([product(steps, weights()), steps], 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: product(rounded(x, -1.28, 1.27), weights()),
        lambda x: product(rounded(x, 0.5, 2.0), weights()),
        lambda x: product(rounded(x), ops.softmax(x, 1), transpose_b=True),
        lambda x: product(ops.softmax(x, 1), rounded(x), transpose_b=True),
        lambda x: product(rounded(x), weights(), transpose_a=True),
        both_ways,
    ],
    ids=["symmetric", "no-zero", "computed-weights", "as-weights", "transposed", "read-by-others"],
)
def test_other_products_are_left(build: Any) -> None:
    model = graph(build)
    before = types_of(model), lowest(model)
    count_from_zero(model)
    assert (types_of(model), lowest(model)) == before


def test_steps_are_the_same_ones() -> None:
    model = graph(lambda x: product(rounded(x), weights()))
    (layer,) = nodes(model, "MatMul")
    before = [constant(parent(layer, 0), index).item() for index in (1, 2)]
    count_from_zero(model)
    (rounding,) = nodes(model, "FakeQuantize")
    assert [constant(rounding, index).item() for index in (1, 2)] == before
    assert constant(rounding, 4).item() == 3.0


def gelu(x: Any, mode: str, scale: Any, high: float) -> Any:
    edges = [np.float32(-0.2), np.float32(high)]
    return ops.fake_quantize(ops.multiply(ops.gelu(x, mode), ops.constant(scale)), *edges, *edges, 256)


def modes(model: Any) -> list[str]:
    """Returns how each GELU is computed."""
    return [node.get_attributes()["approximation_mode"] for node in nodes(model, "Gelu")]


def test_gelu_is_not_computed_by_tanh_where_the_step_is_larger_than_the_difference() -> None:
    model = graph(lambda x: gelu(x, "tanh", SCALES[0, :4], 4))
    exact = computed(model, X)
    drop_tanh(model)
    assert modes(model) == ["ERF"]
    np.testing.assert_allclose(computed(model, X), exact, atol=1.01 * 4.2 / 255)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: gelu(x, "tanh", np.float32(50), 4),
        lambda x: gelu(x, "tanh", np.float32(0), 4),
        lambda x: ops.gelu(x, "tanh"),
        lambda x: ops.multiply(ops.gelu(x, "tanh"), ops.softmax(x, 1)),
        lambda x: ops.add(ops.gelu(x, "tanh"), x),
    ],
    ids=["small-steps", "no-scale", "not-rounded", "scaled-by-results", "added"],
)
def test_gelu_by_tanh_is_left_elsewhere(build: Any) -> None:
    model = graph(build)
    drop_tanh(model)
    assert modes(model) == ["TANH"]


def rows(build: Any, count: int = 6, items: int = 1) -> Any:
    """Returns a graph from `x`, float32, (items, count, 4); -1 for any count."""
    x = ops.parameter([items, count, 4], np.float32, name="x")
    return ov.Model([build(x)], [x])


def layers(x: Any) -> Any:
    """Returns two dense layers with a bias, and GELU and rounding between them."""
    wide = ops.multiply(ops.add(product(rounded(x), weights()), ops.constant(BIAS)), np.float32(0.5))
    back = ops.multiply(ops.convert(ops.constant(STEPS.T.copy()), "f32"), ops.constant(SCALES[:, :4]))
    return ops.add(product(rounded(ops.gelu(wide, "tanh")), back), x)


def quick(x: Any) -> Any:
    """Returns two dense layers that are not rounded, with what CLIP has between them."""
    wide = ops.add(product(x, ops.constant(SCALES * STEPS)), ops.constant(BIAS))
    swish = ops.multiply(wide, ops.sigmoid(ops.multiply(wide, np.float32(1.7))))
    return product(swish, ops.constant(SCALES.T * STEPS.T))


@pytest.mark.parametrize("items", [1, 3])
@pytest.mark.parametrize("build", [layers, quick])
def test_layers_of_fixed_rows_are_convolutions(build: Any, items: int) -> None:
    x = RANDOM.normal(size=(items, 6, 4)).astype(np.float32)
    model = rows(build, items=items)
    exact = computed(model, x)
    name_swish(model)
    as_convolutions(model)
    assert (types_of(model).count("Convolution"), types_of(model).count("MatMul")) == (2, 0)
    assert types_of(model).count("Transpose") == 2 + 2 * (build is quick)  # of rows to pixels and back, and of weights
    np.testing.assert_allclose(computed(model, x), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: ops.multiply(x, ops.sigmoid(ops.multiply(x, ops.softmax(x, 1)))),
        lambda x: ops.multiply(ops.relu(x), ops.sigmoid(ops.multiply(x, np.float32(2)))),
        lambda x: ops.add(x, ops.sigmoid(ops.multiply(x, np.float32(2)))),
        lambda x: ops.multiply(x, ops.sigmoid(x)),
    ],
    ids=["any factor", "another number", "added", "no factor"],
)
def test_what_is_no_swish_is_left(build: Any) -> None:
    model = graph(build)
    before = types_of(model)
    name_swish(model)
    assert types_of(model) == before


@pytest.mark.parametrize(
    "model",
    [rows(layers, -1), rows(lambda x: product(x, weights())), rows(lambda x: product(rounded(x), weights(3)))],
    ids=["any rows", "not rounded", "zero point"],
)
def test_other_layers_stay_products(model: Any) -> None:
    as_convolutions(model)
    assert "Convolution" not in types_of(model)


def test_a_layer_that_several_take_is_convolved_alone() -> None:
    x = RANDOM.normal(size=(1, 6, 4)).astype(np.float32)

    def branches(x: Any) -> Any:
        wide = product(rounded(x), weights())
        return ops.concat([ops.gelu(wide, "erf"), wide], 2)

    model = rows(branches)
    exact = computed(model, x)
    as_convolutions(model)
    assert types_of(model).count("Convolution") == 1
    np.testing.assert_allclose(computed(model, x), exact, rtol=1e-4, atol=1e-4)
