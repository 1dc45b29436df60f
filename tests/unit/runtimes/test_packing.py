"""Dense layers are computed of real tokens only."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import product

from crossguard.runtimes.nodes import nodes
from crossguard.runtimes.packing import MASK, example, pack, packed, packed_size

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


def attended(x: Any, mask: Any) -> Any:
    """Returns what each token of (n, length, 4) takes from those that it may see."""
    query, key, value = (heads(product(x, ops.constant(WEIGHTS * scale))) for scale in (1, 0.5, 2))
    hidden = ops.multiply(ops.unsqueeze(ops.subtract(mask, np.float32(1)), np.array([1, 2])), np.float32(1e9))
    seen = ops.softmax(ops.add(product(query, key, transpose_b=True), hidden), -1)
    together = ops.transpose(product(seen, value), np.array([0, 2, 1, 3]))
    return ops.reshape(together, np.array([0, 0, 4]), special_zero=True)


def encoder(width: int = 4, *, name: str = MASK) -> Any:
    """Returns two layers and their mean over the tokens of a text."""
    ids = ops.parameter([-1, -1], np.int64, name="input_ids")
    mask = ops.parameter([-1, -1], np.int64, name=MASK)
    shown = ops.convert(mask, "f32")
    x = ops.gather(ops.constant(TABLE), ids, np.int64(0))
    for _ in range(2):
        x = normal(x)
        x = ops.add(x, ops.add(product(attended(x, shown), ops.constant(WEIGHTS)), BIAS))
        if width != 4:
            wide = product(x, ops.constant(np.ones((4, width), np.float32)))
            x = ops.add(x, product(ops.erf(wide), ops.constant(np.ones((width, 4), np.float32))))
    column = ops.unsqueeze(shown, np.array([2]))
    mean = ops.divide(ops.reduce_sum(ops.multiply(x, column), np.array([1])), ops.reduce_sum(column, np.array([1])))
    ids.output(0).set_names({"input_ids"})
    mask.output(0).set_names({name})
    return ov.Model([mean], [ids, mask])


def computed(model: Any) -> Any:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    feed = packed(FEED) if len(compiled.inputs) > len(FEED) else FEED
    return compiled(feed)[0][: len(FEED[MASK])].copy()


def dense_rows(model: Any) -> set[int]:
    """Returns how many texts each dense layer sees; -1 for any number."""
    shapes = [node.get_input_partial_shape(0) for node in nodes(model, "MatMul")]
    return {shape[0].get_length() if shape[0].is_static else -1 for shape in shapes if len(shape) == 3}


def test_tokens_of_all_texts_stand_in_one_row_but_where_they_meet() -> None:
    model = encoder()
    exact = computed(model)
    pack(model)
    assert {port.any_name for port in model.inputs} == {"input_ids", MASK, "tokens", "places"}
    assert dense_rows(model) == {1}
    np.testing.assert_allclose(computed(model), exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", [encoder(8), encoder(name="shown")], ids=["unknown step", "no mask"])
def test_other_graphs_are_left(model: Any) -> None:
    pack(model)
    assert len(model.inputs) == 2
    assert dense_rows(model) == {-1}


@pytest.mark.parametrize(("tokens", "size"), [(1, 16), (17, 32), (128, 128), (129, 256), (300, 384), (512, 512)])
def test_kernels_are_made_for_few_numbers_of_tokens(tokens: int, size: int) -> None:
    assert packed_size(tokens) == size
    assert len({packed_size(count) for count in range(1, 513)}) == 7


def test_places_lead_there_and_back() -> None:
    feed = packed(FEED)
    assert feed["tokens"].tolist() == [0, 1, 2, 3, 4, 5, 6, 10, *[0] * 8]
    assert feed["tokens"][feed["places"]][feed[MASK] > 0].tolist() == np.flatnonzero(feed[MASK]).tolist()


@pytest.mark.parametrize(("rows", "filled"), [(1, 1), (2, 4), (4, 4), (13, 16)])
def test_a_text_comes_alone_or_among_a_few(rows: int, filled: int) -> None:
    feed = packed(dict.fromkeys(FEED, np.ones((rows, 5), np.int64)))
    assert feed[MASK].sum(axis=1).tolist() == [5] * rows + [0] * (filled - rows)


def test_an_example_fits_the_graph() -> None:
    model = encoder()
    pack(model)
    feed = example(model.inputs, 4, 24)
    assert feed["input_ids"].shape == (4, 24)
    assert feed["tokens"].tolist() == [*range(96), *[0] * 32]
