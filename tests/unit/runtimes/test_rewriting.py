"""Graphs are rewritten for OpenVINO's compiler, and compute what they computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
import pytest
from onnx import TensorProto, helper
from tests.support.openvino_graphs import computed, types_of

from crossguard.runtimes.rewriting import read_model

X = np.linspace(-3, 2, 12, dtype=np.float32).reshape(3, 4)


def written(folder: Path, nodes: list[Any], constants: dict[str, Any]) -> Path:
    """Writes a graph from `x` to `y`, float32, (n, 4)."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in ("x", "y")]
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], tensors)
    path = folder / "graph.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def rounded(folder: Path, zero: Any, scale: Any) -> Path:
    """Writes a graph that rounds to 8 bits and back."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    return written(folder, nodes, {"scale": scale, "zero": zero})


def test_signed_steps_with_a_zero_point_are_counted_from_zero_with_amx(tmp_path: Path) -> None:
    path = rounded(tmp_path, np.int8(-17), np.float32(0.02))
    plain, rewritten = read_model(ov.Core(), path, amx=False), read_model(ov.Core(), path, amx=True)
    assert "Subtract" in types_of(plain)
    assert set(types_of(rewritten)) == {"Parameter", "Constant", "FakeQuantize", "Result"}
    exact = (np.clip(np.rint(X / np.float32(0.02)) - 17, -128, 127) + 17) * np.float32(0.02)
    np.testing.assert_allclose(computed(rewritten, X), exact, atol=1e-5)
    np.testing.assert_allclose(computed(plain, X), exact, atol=1e-5)


@pytest.mark.parametrize(
    ("zero", "scale"),
    [(np.int8(0), np.float32(0.02)), (np.uint8(9), np.float32(0.02))],
    ids=["symmetric", "unsigned"],
)
def test_what_amx_multiplies_is_left(tmp_path: Path, zero: Any, scale: Any) -> None:
    path = rounded(tmp_path, zero, scale)
    assert types_of(read_model(ov.Core(), path, amx=True)) == types_of(read_model(ov.Core(), path, amx=False))


def test_scales_per_channel_are_left(tmp_path: Path) -> None:
    path = rounded(tmp_path, np.full(4, -3, np.int8), np.full(4, 0.02, np.float32))
    assert "Subtract" in types_of(read_model(ov.Core(), path, amx=True))


def looked_up(folder: Path, constants: dict[str, Any], axis: int) -> Path:
    """Writes a graph that takes rows of an 8-bit table by the first column of `x`."""
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["ids", "column"], ["first"], axis=1),
        helper.make_node("DequantizeLinear", ["table", "scales", "zeros"], ["whole"], axis=axis),
        helper.make_node("Gather", ["whole", "first"], ["y"], axis=0),
    ]
    return written(folder, nodes, {**constants, "column": np.int64(0)})


def whole_tables(model: Any) -> list[Any]:
    """Returns the nodes that multiply whole tables of ten rows."""
    nodes = (node for node in model.get_ordered_ops() if node.get_type_name() == "Multiply")
    return [node for node in nodes if node.get_output_partial_shape(0) == ov.PartialShape([10, 4])]


def test_rows_are_looked_up_before_they_are_converted(tmp_path: Path) -> None:
    table = np.arange(-20, 20, dtype=np.int8).reshape(10, 4)
    scales = np.linspace(0.01, 0.1, 10, dtype=np.float32)
    path = looked_up(tmp_path, {"table": table, "scales": scales, "zeros": np.zeros(10, np.int8)}, axis=0)
    model = read_model(ov.Core(), path)
    assert whole_tables(ov.Core().read_model(path))
    assert not whole_tables(model)
    x = np.array([[3, 0, 0, 0], [9, 0, 0, 0]], np.float32)
    np.testing.assert_array_equal(computed(model, x), (table * scales[:, None])[[3, 9]])


@pytest.mark.parametrize(
    ("scales", "zeros", "axis"),
    [(np.full(4, 0.1, np.float32), np.zeros(4, np.int8), 1), (np.full(10, 0.1, np.float32), np.ones(10, np.int8), 0)],
    ids=["scales-per-column", "zero-points"],
)
def test_other_tables_are_left(tmp_path: Path, scales: Any, zeros: Any, axis: int) -> None:
    table = np.arange(-20, 20, dtype=np.int8).reshape(10, 4)
    path = looked_up(tmp_path, {"table": table, "scales": scales, "zeros": zeros}, axis)
    assert whole_tables(read_model(ov.Core(), path))


def test_a_lookup_in_what_the_graph_computed_is_left(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "scales"], ["scaled"]),
        helper.make_node("Gather", ["scaled", "rows"], ["y"], axis=0),
    ]
    scales = np.linspace(1, 2, 4, dtype=np.float32)
    model = read_model(ov.Core(), written(tmp_path, nodes, {"scales": scales, "rows": np.array([2, 0])}))
    np.testing.assert_allclose(computed(model, X), (X * scales)[[2, 0]])


def pixels_graph(folder: Path, scale: Any, order: list[int]) -> Path:
    """Writes a graph that normalises `pixels`, uint8, (n, 4, 5, 3), and transposes them."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        helper.make_node("Transpose", ["shifted"], ["y"], perm=order),
    ]
    ends = [
        helper.make_tensor_value_info("pixels", TensorProto.UINT8, [None, 4, 5, 3]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4),
    ]
    shift = np.array([0.1, -0.2, 0.3], np.float32)
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in (("scale", scale), ("shift", shift))]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], tensors)
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "pixels.onnx"
    )
    return folder / "pixels.onnx"


@pytest.mark.parametrize(
    ("scale", "order", "moved"),
    [
        (np.array([0.5, 0.25, 3.0], np.float32), [0, 3, 1, 2], True),
        (np.float32(0.5), [0, 3, 1, 2], True),
        (np.array([0.5, 0.25, 3.0], np.float32), [0, 2, 1, 3], False),
        (np.linspace(0, 1, 15, dtype=np.float32).reshape(5, 3), [0, 3, 1, 2], False),
    ],
)
def test_pixels_are_transposed_before_they_are_normalised(
    tmp_path: Path, scale: Any, order: list[int], moved: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    model = read_model(ov.Core(), pixels_graph(tmp_path, scale, order))
    (reader,) = model.input().get_target_inputs()
    assert (reader.get_node().get_type_name() == "Transpose") is moved
    exact = (pixels.astype(np.float32) * scale + np.array([0.1, -0.2, 0.3], np.float32)).transpose(order)
    np.testing.assert_allclose(computed(model, pixels), exact, rtol=1e-6, atol=1e-6)
