"""What stands between the products of an attention is put where OpenVINO joins it with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, product, types_of

from crossguard.runtimes.attention import rewrite_attention
from crossguard.runtimes.nodes import nodes, parent

X = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)
HEADS = np.array([0, 0, 2, 4])


def graph(build: Any) -> Any:
    """Returns a graph from `x`, float32, (n, 3, 8)."""
    x = ops.parameter([-1, 3, 8], np.float32, name="x")
    return ov.Model([build(x)], [x])


def heads(x: Any) -> Any:
    """Returns the outputs of a dense layer by head, (n, 2, 3, 4)."""
    dense = product(x, ops.constant(WEIGHTS))
    return ops.transpose(ops.reshape(dense, HEADS, special_zero=True), np.array([0, 2, 1, 3]))


def steps(x: Any) -> Any:
    """Returns numbers multiplied by one and rounded to 8 bits."""
    edges = [np.float32(-1.28), np.float32(1.27)]
    return ops.fake_quantize(ops.multiply(x, np.float32(0.5)), *edges, *edges, 256)


def swapped(x: Any, shape: list[int]) -> Any:
    """Transposes the last two axes with the first two joined to one."""
    joined = ops.reshape(x, np.array([-1, 3, 4]), special_zero=False)
    return ops.reshape(ops.transpose(joined, np.array([0, 2, 1])), np.array(shape), special_zero=False)


def test_an_attention_is_not_looked_through_for_nan() -> None:
    def build(x: Any) -> Any:
        softmax = ops.softmax(x, -1)
        return ops.select(ops.is_nan(softmax), np.float32(0), softmax)

    model = graph(build)
    rewrite_attention(model)
    assert "IsNaN" not in types_of(model)
    np.testing.assert_allclose(computed(model, X).sum(axis=-1), 1, rtol=1e-5)


def test_numbers_are_rounded_before_they_are_moved() -> None:
    model = graph(lambda x: ops.relu(steps(heads(x))))
    exact = computed(model, X)
    rewrite_attention(model)
    order = [kind for kind in types_of(model) if kind not in {"Parameter", "Constant", "Result"}]
    assert order == ["MatMul", "Multiply", "FakeQuantize", "Reshape", "Transpose", "Relu"]
    np.testing.assert_array_equal(computed(model, X), exact)


def twice(x: Any) -> Any:
    moved = heads(x)
    return ops.add(steps(moved), moved)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: steps(ops.reshape(x, HEADS, special_zero=True)),
        lambda x: ops.multiply(heads(x), ops.constant(np.ones((2, 1, 1), np.float32))),
        lambda x: ops.multiply(heads(x), ops.reduce_max(heads(x), np.array([1, 2, 3]), keep_dims=True)),
        twice,
    ],
    ids=["no-dense-layer", "per-head", "computed", "read-by-others"],
)
def test_other_steps_are_left(build: Any) -> None:
    model = graph(build)
    before = types_of(model)
    rewrite_attention(model)
    assert types_of(model) == before


def test_keys_are_transposed_at_once() -> None:
    model = graph(lambda x: ops.relu(swapped(heads(x), [-1, 2, 4, 3])))
    exact = computed(model, X)
    rewrite_attention(model)
    assert types_of(model).count("Reshape") == 1
    (relu,) = nodes(model, "Relu")
    assert parent(relu, 0).get_type_name() == "Transpose"
    np.testing.assert_array_equal(computed(model, X), exact)


def test_axes_that_are_divided_otherwise_are_left() -> None:
    model = graph(lambda x: ops.relu(swapped(heads(x), [2, -1, 4, 3])))
    rewrite_attention(model)
    assert types_of(model).count("Reshape") == 3
