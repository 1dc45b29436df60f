"""Stores the weights of an ONNX graph in fewer bits; every runtime turns them into float32 when it loads them."""

from __future__ import annotations

import copy
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

WeightDtype: TypeAlias = Literal["fp32", "fp16", "int8"]

# Smaller tensors (biases, norms) save nothing and lose most.
SMALLEST: Final = 4096
INT8_LEVELS: Final = 127
# Which axis of a weight is its output: each gets a scale of its own.
AXES: Final = {"MatMul": 1, "Gather": 0, "Gemm": 0}


def store(model: Any, weight_dtype: WeightDtype) -> Any:
    """Returns a copy of an `onnx.ModelProto` whose large float weights are stored as asked.

    `fp16`: a `Cast` restores them. `int8`: of matrices and embeddings, symmetric, with a scale per output or per row of
    an embedding, and `DequantizeLinear` restores them; the rest as `fp16`. `fp32`: as they are.
    """
    import onnx

    if weight_dtype == "fp32":
        return copy.deepcopy(model)
    graph = model.graph
    consumers = {name: node for node in graph.node for name in node.input}
    nodes, kept = [], []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < SMALLEST:
            kept.append(weight)
            continue
        values = onnx.numpy_helper.to_array(weight)
        consumer = consumers[weight.name]
        # OpenVINO 2026.4 computes convolutions of dequantized weights wrongly, and differently in each process.
        if weight_dtype == "int8" and consumer.op_type in AXES:
            parts, node = _int8(weight.name, values, _axis(consumer))
        else:
            parts, node = _fp16(weight.name, values)
        kept.extend(parts)
        nodes.append(node)
    return _with(model, [*nodes, *graph.node], kept)


def restore(model: Any) -> Any:
    """Returns an `onnx.ModelProto` with float32 weights, whatever `store` made of them; the inverse up to rounding."""
    import onnx

    graph = model.graph
    stored = {weight.name: onnx.numpy_helper.to_array(weight) for weight in graph.initializer}
    nodes, restored = [], {}
    for node in graph.node:
        if node.op_type in {"Cast", "DequantizeLinear"} and all(name in stored for name in node.input):
            restored[node.output[0]] = _restored(node, [stored[name] for name in node.input])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    return _with(
        model, nodes, [*kept, *(onnx.numpy_helper.from_array(value, name) for name, value in restored.items())]
    )


def _restored(node: Any, inputs: list[NDArray[Any]]) -> NDArray[np.float32]:
    if node.op_type == "Cast":
        return np.asarray(inputs[0], dtype=np.float32)
    values, scale = inputs[0], inputs[1]
    axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
    shape = [-1 if index == axis else 1 for index in range(values.ndim)]
    return np.asarray(values * scale.reshape(shape), dtype=np.float32)


def _with(model: Any, nodes: list[Any], initializers: list[Any]) -> Any:
    """Returns a copy of a model with other nodes and weights."""
    changed = copy.deepcopy(model)
    del changed.graph.node[:]
    del changed.graph.initializer[:]
    changed.graph.node.extend(nodes)
    changed.graph.initializer.extend(initializers)
    return changed


def _axis(node: Any) -> int:
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return 0 if transposed else 1
    return AXES[str(node.op_type)]


def _fp16(name: str, values: NDArray[np.float32]) -> tuple[list[Any], Any]:
    import onnx

    stored = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16")
    return [stored], onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT)


def _int8(name: str, values: NDArray[np.float32], axis: int) -> tuple[list[Any], Any]:
    import onnx

    others = tuple(index for index in range(values.ndim) if index != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12) / INT8_LEVELS
    rounded = np.clip(np.rint(values / scale), -INT8_LEVELS, INT8_LEVELS).astype(np.int8)
    flat = scale.reshape(-1).astype(np.float32)
    arrays = {"int8": rounded, "scale": flat, "zero": np.zeros(len(flat), dtype=np.int8)}
    parts = [onnx.numpy_helper.from_array(array, f"{name}.{suffix}") for suffix, array in arrays.items()]
    names = [part.name for part in parts]
    return parts, onnx.helper.make_node("DequantizeLinear", names, [name], axis=axis)
