"""Of the last layer, only the picked row is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, product

from crossguard.runtimes.nodes import nodes
from crossguard.runtimes.pooling import pick_first

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
SCALE = np.linspace(0.5, 2, 4, dtype=np.float32)
LAST = [[0, 2], [1, 1]]


def graph(build: Any) -> Any:
    """Returns a graph from `x`, float32, (n, 3, 4), which something mixes the rows of."""
    x = ops.parameter([-1, 3, 4], np.float32, name="x")
    return ov.Model([build(ops.softmax(x, 1))], [x])


def layer(x: Any) -> Any:
    """Returns the last steps of a tower: a dense layer, what it is added to, and its normalisation."""
    edges = [np.float32(-3), np.float32(3)]
    dense = ops.fake_quantize(product(x, ops.constant(WEIGHTS)), *edges, *edges, 256)
    active = ops.multiply(dense, ops.sigmoid(ops.multiply(dense, np.float32(1.702))))
    normal = ops.mvn(ops.add(active, x), np.array([2]), True, 1e-5, "inside_sqrt")  # noqa: FBT003 the binding's order
    return ops.multiply(normal, ops.constant(SCALE))


def first(x: Any) -> Any:
    return ops.gather(x, np.int64(0), 1)


def ends(x: Any) -> Any:
    return ops.gather_nd(x, np.array(LAST))


def rows(model: Any) -> list[int]:
    """Returns how many rows each matrix product has."""
    return [node.get_output_partial_shape(0)[1].get_length() for node in nodes(model, "MatMul")]


@pytest.mark.parametrize("pick", [first, ends])
def test_a_row_is_picked_before_the_layer(pick: Any) -> None:
    model = graph(lambda x: ops.relu(pick(layer(x))))
    exact = computed(model, X)
    pick_first(model)
    assert rows(model) == [1]
    np.testing.assert_allclose(computed(model, X), exact, rtol=1e-5, atol=1e-6)


def test_a_layer_that_others_read_is_computed_whole() -> None:
    def build(x: Any) -> Any:
        before = layer(x)
        return ops.add(first(layer(before)), ops.reduce_sum(before, np.array([1])))

    model = graph(build)
    exact = computed(model, X)
    pick_first(model)
    assert rows(model) == [3, 1]
    np.testing.assert_allclose(computed(model, X), exact, rtol=1e-5, atol=1e-6)


def mixed(x: Any) -> Any:
    return ops.softmax(layer(x), 1)


def across(x: Any) -> Any:
    return ops.mvn(layer(x), np.array([1]), True, 1e-5, "inside_sqrt")  # noqa: FBT003 the binding's order


def by_place(x: Any) -> Any:
    return ops.add(layer(x), ops.constant(np.arange(12, dtype=np.float32).reshape(3, 4)))


@pytest.mark.parametrize(
    "build",
    [
        lambda x: first(mixed(x)),
        lambda x: first(across(x)),
        lambda x: first(by_place(x)),
        lambda x: ops.gather(layer(x), np.int64(0), 2),
        lambda x: ops.gather(layer(x), np.array([0, 2]), 1),
        lambda x: ops.gather_nd(layer(x), np.array([[0], [1]])),
    ],
    ids=["rows-mixed", "normalised-across-rows", "by-place", "a-column", "two-rows", "whole-texts"],
)
def test_other_graphs_are_left(build: Any) -> None:
    model = graph(build)
    exact = computed(model, X)
    pick_first(model)
    assert rows(model) == [3]
    np.testing.assert_array_equal(computed(model, X), exact)
