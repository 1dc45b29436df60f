"""Sums of 8-bit products are right, or nothing is multiplied in 8 bits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, product

from crossguard.machine import vector_units
from crossguard.runtimes import overflow
from crossguard.runtimes.overflow import convert_weights, sums_overflow

TRY = "from crossguard.runtimes.overflow import sums_overflow; print(sums_overflow())"
EIGHT_BITS = {"amx_int8", "avx512_vnni", "avx_vnni"}


@pytest.mark.skipif("avx2" not in vector_units(), reason="about processors of x86 that Linux describes")
def test_sums_overflow_without_instructions_for_8_bits() -> None:
    assert sums_overflow() == EIGHT_BITS.isdisjoint(vector_units())
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    printed = subprocess.run(
        [sys.executable, "-c", TRY], env=limited, check=True, capture_output=True, text=True
    ).stdout
    assert printed == "True\n"


def layer(stored: np.ndarray[Any, Any], scales: np.ndarray[Any, Any], *, rounds: bool) -> Any:
    """Returns a dense layer of weights in 8 bits, whose input is rounded to steps of .02 or not."""
    x = ops.parameter([-1, len(stored)], np.float32)
    edges = [np.float32(0), np.float32(0.02 * 255)]
    rounded = ops.fake_quantize(x, *edges, *edges, 256) if rounds else x
    weights = ops.multiply(ops.convert(ops.constant(stored), "f32"), ops.constant(scales))
    return ov.Model([product(rounded, weights)], [x])


@pytest.mark.parametrize("rounds", [True, False], ids=["in-8-bits", "stored-in-8-bits"])
@pytest.mark.parametrize("overflows", [True, False], ids=["overflow", "exact"])
def test_where_sums_overflow_weights_become_floats(
    monkeypatch: pytest.MonkeyPatch, rounds: bool, overflows: bool
) -> None:
    monkeypatch.setattr(overflow, "sums_overflow", lambda: overflows)
    stored, scales = np.arange(-8, 8, dtype=np.int8).reshape(4, 4), np.linspace(0.01, 0.1, 4, dtype=np.float32)
    model = layer(stored, scales, rounds=rounds)
    convert_weights(model)
    dense = next(node for node in model.get_ordered_ops() if node.get_type_name() == "MatMul")
    is_folded = dense.input_value(1).get_node().get_type_name() == "Constant"
    assert is_folded == (rounds and overflows)
    x = np.linspace(0, 5, 12, dtype=np.float32).reshape(3, 4)
    steps = np.rint(x / np.float32(0.02)) * np.float32(0.02) if rounds else x
    np.testing.assert_allclose(computed(model, x), steps @ (stored * scales), atol=1e-4)
