#!/usr/bin/env python3
"""Writes the weights of a released bundle as a run that training can start from.

Usage: scripts/start_from_bundle.py RECIPE BUNDLE OUT

The bundle holds int8 text weights and fp16 fusion weights; both are turned into float32. The image encoder is the
packaged one, which `compact` does not train. Outputs of the recipe beyond those of the bundle get new weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from crossguard.errors import BundleError
from crossguard.models.loading import save_model
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import load
from crossguard.training.run import build_model

LINEAR: Final = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
OUTPUTS: Final = "cls.4."
# What a new output says of any post before it is trained: rarely.
NEW_BIAS: Final = -2.0

Floats = NDArray[np.float32]


def text_weights(file: Path) -> dict[str, Floats]:
    """Returns float32 weights of a quantised text graph, by their name in the model."""
    graph = onnx.load(file).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    weights = {_own(name): value for name, value in tensors.items() if name.startswith("model.") and value.ndim == 1}
    matrices = [
        matrix
        for node in graph.node
        if node.op_type == "MatMul" and (matrix := _matrix(node, tensors, producers)) is not None
    ]
    layers = len(matrices) // len(LINEAR)
    names = [f"backbone.text_model.encoder.layer.{layer}.{part}.weight" for layer in range(layers) for part in LINEAR]
    weights |= {name: matrix.T for name, matrix in zip(names, matrices, strict=True)}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and ".embeddings." in node.output[0]:
            name = node.output[0].removeprefix("dq_output_").removesuffix("_1")
            weights[_own(name)] = _dequantized(node, tensors)
    return weights


def fusion_weights(file: Path) -> dict[str, Floats]:
    """Returns the weights of the fusion graph as float32."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer}
    return {
        _own(name).removesuffix(".fp16"): value.astype(np.float32)
        for name, value in tensors.items()
        if name.startswith("model.")
    }


def _own(name: str) -> str:
    return name.removeprefix("model.")


def _matrix(node: Any, tensors: dict[str, Any], producers: dict[str, Any]) -> Floats | None:
    """Returns the weights of a product, (inputs, outputs), with the factor that its input was smoothed by."""
    weights = producers.get(node.input[1])
    if weights is None or weights.op_type != "DequantizeLinear" or weights.input[0] not in tensors:
        return None
    matrix = _dequantized(weights, tensors)
    before = producers[node.input[0]]
    while before.op_type in {"DequantizeLinear", "QuantizeLinear"}:
        before = producers[before.input[0]]
    scales = [tensors[name] for name in before.input if name.endswith("nncf_smooth_quant_scale")]
    return matrix * scales[0].reshape(-1, 1) if scales else matrix


def _dequantized(node: Any, tensors: dict[str, Any]) -> Floats:
    values, scale, zero = (tensors[name].astype(np.float32) for name in node.input)
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    if scale.ndim:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (values - zero) * scale


def write_start(recipe: Recipe, bundle: Path, out: Path) -> int:
    """Writes the weights of a bundle as those of a run of a recipe; returns how many tensors the bundle gave.

    Raises:
        BundleError: The bundle belongs to another model.
    """
    model = build_model(recipe)
    state = model.state_dict()
    found = text_weights(bundle / "text.onnx") | fusion_weights(bundle / "fusion.onnx")
    for name, value in found.items():
        tensor = torch.from_numpy(np.array(value))
        if name.startswith(OUTPUTS):
            state[name][: len(tensor)] = tensor
            if name.endswith("bias"):
                state[name][len(tensor) :] = NEW_BIAS
        elif state[name].shape != tensor.shape:
            shapes = f"{tuple(tensor.shape)} in the bundle and {tuple(state[name].shape)} in the recipe"
            raise BundleError(f"{name} is {shapes}; start from a bundle of the same encoders.")
        else:
            state[name].copy_(tensor)
    rest = [name for name in state if name not in found and "vision_model" not in name and "position_ids" not in name]
    if rest:
        raise BundleError(f"{bundle} lacks {len(rest)} weights, such as {rest[0]}; start from a bundle in 8 bits.")
    save_model(model, out)
    return len(found)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="of the run that will start from it")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    count = write_start(load(options.recipe), options.bundle, options.out)
    print(f"{count} tensors of {options.bundle} in {options.out}")


if __name__ == "__main__":
    main()
