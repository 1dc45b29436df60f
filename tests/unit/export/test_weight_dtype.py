from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossguard.bundle import Bundle

onnx = pytest.importorskip("onnx", reason="graphs are read with crossguard[train]")

from crossguard.export.weight_dtype import WeightDtype, restore, store  # noqa: E402


@pytest.mark.parametrize(("weight_dtype", "error"), [("fp32", 0.0), ("fp16", 2e-3), ("int8", 2e-2)])
def test_stored_weights_are_float32_again(tiny_bundle: Bundle, weight_dtype: WeightDtype, error: float) -> None:
    original = onnx.load(Path(tiny_bundle.graphs["text"]))
    restored = restore(store(original, weight_dtype))
    onnx.checker.check_model(restored)
    before, after = (
        {weight.name: onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer}
        for model in (original, restored)
    )
    assert before.keys() == after.keys()
    assert [node.op_type for node in restored.graph.node] == [node.op_type for node in original.graph.node]
    assert after["table"].dtype == np.float32
    assert np.abs(after["table"] - before["table"]).max() <= error
