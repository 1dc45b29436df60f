"""What tests of graphs for OpenVINO share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops


def types_of(model: Any) -> list[str]:
    """Returns the types of its nodes, in the order in which they are computed."""
    return [node.get_type_name() for node in model.get_ordered_ops()]


def computed(model: Any, x: np.ndarray[Any, Any]) -> Any:
    """Returns what a graph computes as it stands in it: in float32, and not in 8 bits."""
    settings = {"INFERENCE_PRECISION_HINT": ov.Type.f32, "LP_TRANSFORMS_MODE": "NO"}
    return ov.Core().compile_model(model, "CPU", settings)(x)[0].copy()


def before_compiling(monkeypatch: pytest.MonkeyPatch, act: Callable[[Any, dict[str, Any]], object]) -> None:
    """Calls `act` with each graph and its settings before OpenVINO compiles it."""
    compile_model = ov.Core.compile_model

    def wrapped(core: Any, model: Any, device: str, settings: dict[str, Any]) -> Any:
        act(model, settings)
        return compile_model(core, model, device, settings)

    monkeypatch.setattr(ov.Core, "compile_model", wrapped)


def product(left: Any, right: Any, *, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    """Returns the matrix product of two nodes."""
    return ops.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b)
