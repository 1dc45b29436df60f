"""The text encoder of a bundle as weights in float32, read out of its 8-bit graph, which is what ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper
from torch import Tensor

OF_ENCODER: Final = "model.backbone.text_model."
EMBEDDINGS: Final = ("word", "token_type", "position")


class Graph:
    """An 8-bit graph as NNCF writes it."""

    def __init__(self, path: Path) -> None:
        self._graph = onnx.load(path).graph
        self._values = {each.name: numpy_helper.to_array(each) for each in self._graph.initializer}
        self._makers = {name: node for node in self._graph.node for name in node.output}

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights of the encoder by the names that transformers gives them."""
        found = {
            name.removeprefix(OF_ENCODER): value
            for name, value in self._values.items()
            if name.startswith(OF_ENCODER) and value.dtype == np.float32
        }
        for name in EMBEDDINGS:
            weight = f"embeddings.{name}_embeddings.weight"
            found[weight] = self._restored(f"dq_output_{OF_ENCODER}{weight}_1")
        for node in self._graph.node:
            if node.op_type == "MatMul" and self._is_stored(node.input[1]):
                bias = next(self._bias(other) for other in self._graph.node if node.output[0] in other.input)
                matrix = self._restored(node.input[1]) * self._smoothing(node.input[0])[:, None]
                found[bias.removeprefix(OF_ENCODER).removesuffix("bias") + "weight"] = matrix.T
        return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}

    def _is_stored(self, name: str) -> bool:
        maker = self._makers.get(name)
        return maker is not None and maker.op_type == "DequantizeLinear" and maker.input[0] in self._values

    def _bias(self, node: NodeProto) -> str:
        return str(next(name for name in node.input if name.startswith(OF_ENCODER)))

    def _restored(self, name: str) -> NDArray[Any]:
        """Returns what `DequantizeLinear` makes of stored weights."""
        node = self._makers[name]
        stored, scale, zero = (self._values[each].astype(np.float32) for each in node.input)
        if scale.ndim == 1:
            shape = [1] * stored.ndim
            shape[next((each.i for each in node.attribute if each.name == "axis"), 1)] = -1
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return np.asarray((stored - zero) * scale)

    def _smoothing(self, name: str) -> NDArray[Any]:
        """Returns by what SmoothQuant divided the weights, per input: it multiplies the activations with it."""
        node = self._makers[name]
        while node.op_type in {"QuantizeLinear", "DequantizeLinear", "Reshape"}:
            node = self._makers[node.input[0]]
        return self._values[node.input[1]].reshape(-1)


def read_text_encoder(path: Path) -> dict[str, Tensor]:
    """Returns the weights of the encoder in a bundle's `text.onnx`, float32."""
    return Graph(path).weights()
