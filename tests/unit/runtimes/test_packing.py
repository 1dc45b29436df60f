"""Texts are packed into rows, and none sees another."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import product

from crossguard.runtimes.nodes import nodes
from crossguard.runtimes.packing import MASK, SHAPES, Shape, first_needed, needed, pack, packed, shape_of

ROWS = (2, 128)
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(4, 4)).astype(np.float32)
TABLE = RANDOM.normal(size=(9, 4)).astype(np.float32)
BIAS = np.linspace(-1, 1, 4, dtype=np.float32)
FEED = {
    "input_ids": np.array([[3, 1, 4, 1, 5], [2, 6, 0, 0, 0], [8, 0, 0, 0, 0]]),
    MASK: np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]),
}


def normal(x: Any) -> Any:
    return ops.mvn(x, np.array([2]), True, 1e-5, "inside_sqrt")  # noqa: FBT003 the binding's order


def heads(x: Any) -> Any:
    return ops.transpose(ops.reshape(x, np.array([0, 0, 2, 2]), special_zero=True), np.array([0, 2, 1, 3]))


def behind(mask: Any) -> Any:
    """Returns what hides padding, (n, 1, 1, length), counted as in older exports."""
    return ops.multiply(ops.unsqueeze(ops.subtract(mask, np.float32(1)), np.array([1, 2])), np.float32(1e9))


def chosen(mask: Any) -> Any:
    """Returns what hides padding as newer exports do."""
    shown = ops.greater(ops.unsqueeze(mask, np.array([1, 2])), np.float32(0))
    return ops.select(shown, np.float32(0), np.float32(-np.inf))


def causal(mask: Any) -> Any:
    """Returns what hides padding and the tokens that follow."""
    places = ops.cum_sum(ops.unsqueeze(mask, np.array([1, 2])), np.int64(3))
    later = ops.less(ops.transpose(places, np.array([0, 1, 3, 2])), places)
    return ops.add(chosen(mask), ops.select(later, np.float32(-1e9), np.float32(0)))


def attended(x: Any, hidden: Any) -> Any:
    """Returns what each token of (n, length, 4) takes from those that it may see."""
    query, key, value = (heads(product(x, ops.constant(WEIGHTS * scale))) for scale in (1, 0.5, 2))
    seen = ops.softmax(ops.add(product(query, key, transpose_b=True), hidden), -1)
    together = ops.transpose(product(seen, value), np.array([0, 2, 1, 3]))
    return ops.reshape(together, np.array([0, 0, 4]), special_zero=True)


def encoder(width: int = 4, *, name: str = MASK, hides: Any = chosen) -> Any:
    """Returns two layers and their mean over the tokens of a text."""
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    mask = ops.parameter([-1, -1], np.int64, name=MASK)
    shown = ops.convert(mask, "f32")
    x = ops.gather(ops.constant(TABLE), ids, np.int64(0))
    for _ in range(2):
        x = normal(x)
        x = ops.add(x, ops.add(product(attended(x, hides(shown)), ops.constant(WEIGHTS)), BIAS))
        if width != 4:
            wide = product(x, ops.constant(np.ones((4, width), np.float32)))
            x = ops.add(x, product(ops.erf(wide), ops.constant(np.ones((width, 4), np.float32))))
    column = ops.unsqueeze(shown, np.array([2]))
    mean = ops.divide(ops.reduce_sum(ops.multiply(x, column), np.array([1])), ops.reduce_sum(column, np.array([1])))
    ids.output(0).set_names({"input_ids"})
    mask.output(0).set_names({name})
    return ov.Model([mean], [ids, mask])


def computed(model: Any, shape: Shape = ROWS) -> Any:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    feed = packed(FEED, shape) if len(compiled.inputs) > len(FEED) else FEED
    return compiled(feed)[0][: len(FEED[MASK])].copy()


def dense_rows(model: Any) -> set[int]:
    """Returns how many texts each dense layer sees; -1 for any number."""
    shapes = [node.get_input_partial_shape(0) for node in nodes(model, "MatMul")]
    return {shape[0].get_length() if shape[0].is_static else -1 for shape in shapes if len(shape) == 3}


@pytest.mark.parametrize("hides", [chosen, behind])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_texts_stand_in_rows_and_say_the_same(hides: Any, shape: Shape) -> None:
    model = encoder(hides=hides)
    exact = computed(model)
    pack(model, shape)
    assert {port.any_name for port in model.inputs} == {"input_ids", MASK, "tokens", "places", "owners"}
    assert dense_rows(model) == {1}
    np.testing.assert_allclose(computed(model, shape), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        encoder(8),
        encoder(name="shown"),
        encoder(hides=causal),
        encoder(hides=lambda mask: ops.multiply(chosen(mask), np.float32(0))),
    ],
    ids=["unknown step", "no mask", "hides more", "hides nothing"],
)
def test_other_graphs_are_left(model: Any) -> None:
    pack(model, ROWS)
    assert len(model.inputs) == 2
    assert dense_rows(model) == {-1}


def test_a_text_stands_in_one_row_and_is_found_again() -> None:
    lengths = [100, 28, 60, 50]
    mask = (np.arange(112) < np.array(lengths)[:, None]).astype(np.int64)
    feed = packed({"input_ids": mask, MASK: mask}, ROWS)
    assert feed["owners"].shape == ROWS
    assert feed["owners"].tolist() == [[1] * 100 + [2] * 28, [3] * 60 + [4] * 50 + [0] * 18]
    assert feed["tokens"][feed["places"]][mask > 0].tolist() == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(("first", "start"), [(100, 128), (99, 99)])
def test_a_text_that_has_no_place_left_begins_the_next_row(first: int, start: int) -> None:
    mask = (np.arange(112) < np.array([[first], [29]])).astype(np.int64)
    assert np.flatnonzero(packed({"input_ids": mask, MASK: mask}, ROWS)["owners"] == 2)[0] == start


@pytest.mark.parametrize(("rows", "filled"), [(1, 4), (4, 4), (13, 16)])
def test_texts_come_in_few_numbers(rows: int, filled: int) -> None:
    feed = packed(dict.fromkeys(FEED, np.ones((rows, 5), np.int64)), ROWS)
    assert feed[MASK].sum(axis=1).tolist() == [5] * rows + [0] * (filled - rows)


@pytest.mark.parametrize(("tokens", "shape"), [(3, "row"), (64, "row"), (65, "rows"), (288, "rows")])
def test_few_tokens_get_the_short_row(tokens: int, shape: str) -> None:
    assert shape_of(tokens) == shape
    assert np.prod(SHAPES[shape]) >= tokens


@pytest.mark.parametrize(("characters", "shape"), [(0, "row"), (240, "row"), (300, "rows")])
def test_the_graph_of_a_lone_text_is_known_by_its_characters(characters: int, shape: str) -> None:
    assert first_needed(one_by_one=True, characters=characters) == shape
    assert first_needed(one_by_one=False, characters=characters) == "rows"


@pytest.mark.parametrize("packed_graph", SHAPES)
def test_texts_in_rows_stand_for_those_below_each_other(packed_graph: str) -> None:
    assert needed(["text", "fusion", packed_graph]) == ["fusion", packed_graph]
    assert needed(["text", "fusion"]) == ["text", "fusion"]
