"""A graph gives the same numbers where OpenVINO lacks kernels, and where sums of 8-bit products overflow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, product, types_of

from crossguard.machine import vector_units
from crossguard.runtimes import fallbacks
from crossguard.runtimes.fallbacks import LAYERS, convert_weights, lacks_kernels, split_steps, sums_overflow

EIGHT_BITS = {"amx_int8", "avx512_vnni", "avx_vnni"}
TRY = """
from crossguard.runtimes.fallbacks import lacks_kernels, sums_overflow
print(lacks_kernels(), sums_overflow("MatMul"), sums_overflow("Convolution"))
"""
ON_LISTED = pytest.mark.skipif("avx2" not in vector_units(), reason="about processors of x86 that Linux describes")
X = np.random.default_rng(0).normal(5, 3, (2, 3, 48)).astype(np.float32)


def meet(monkeypatch: pytest.MonkeyPatch, *, overflow: Collection[str] = (), lacks: bool = False) -> None:
    """Lets the probes find something."""
    monkeypatch.setattr(fallbacks, "sums_overflow", lambda kind: kind in overflow)
    monkeypatch.setattr(fallbacks, "lacks_kernels", lambda: lacks)


def layer(stored: np.ndarray[Any, Any], scales: np.ndarray[Any, Any], *, rounds: bool) -> Any:
    """Returns a dense layer of weights in 8 bits, whose input is rounded to steps of .02 or not."""
    x = ops.parameter([-1, len(stored)], np.float32)
    edges = [np.float32(0), np.float32(0.02 * 255)]
    rounded = ops.fake_quantize(x, *edges, *edges, 256) if rounds else x
    weights = ops.multiply(ops.convert(ops.constant(stored), "f32"), ops.constant(scales))
    return ov.Model([product(rounded, weights)], [x])


@pytest.mark.parametrize("rounds", [True, False], ids=["in-8-bits", "stored-in-8-bits"])
@pytest.mark.parametrize(
    ("overflow", "lacks"),
    [((), False), (("MatMul",), False), (("Convolution",), False), (("MatMul", "Convolution"), True)],
    ids=["exact", "overflow", "overflow-of-others", "no-kernels"],
)
def test_weights_become_floats_where_their_steps_cannot_be_multiplied(
    monkeypatch: pytest.MonkeyPatch, rounds: bool, overflow: Collection[str], lacks: bool
) -> None:
    meet(monkeypatch, overflow=overflow, lacks=lacks)
    stored, scales = np.arange(-8, 8, dtype=np.int8).reshape(4, 4), np.linspace(0.01, 0.1, 4, dtype=np.float32)
    model = layer(stored, scales, rounds=rounds)
    convert_weights(model)
    dense = next(node for node in model.get_ordered_ops() if node.get_type_name() == "MatMul")
    is_folded = dense.input_value(1).get_node().get_type_name() == "Constant"
    assert is_folded == (lacks or (rounds and "MatMul" in overflow))
    x = np.linspace(0, 5, 12, dtype=np.float32).reshape(3, 4)
    steps = np.rint(x / np.float32(0.02)) * np.float32(0.02) if rounds else x
    np.testing.assert_allclose(computed(model, x), steps @ (stored * scales), atol=1e-4)


def norm(axes: Any, shape: tuple[int, ...] = (-1, -1, 48), mode: str = "inside_sqrt") -> Any:
    """Returns a norm over some axes."""
    x = ops.parameter(shape, np.float32)
    return ov.Model([ops.mvn(x, axes, normalize_variance=True, eps=0.5, eps_mode=mode)], [x])


@pytest.mark.parametrize("axes", [[-1], [2], ops.range(np.int64(-1), np.int64(0), np.int64(1), "i64")])
def test_without_a_kernel_a_layer_norm_is_computed_in_single_steps(monkeypatch: pytest.MonkeyPatch, axes: Any) -> None:
    meet(monkeypatch, lacks=True)
    model = norm(axes)
    split_steps(model)
    assert {"MVN", "ReduceMean"}.isdisjoint(types_of(model))
    around = X - X.mean(axis=-1, keepdims=True)
    exact = around / np.sqrt((around**2).mean(axis=-1, keepdims=True) + 0.5)
    np.testing.assert_allclose(computed(model, X), exact, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "lacks"),
    [
        (norm([-1]), False),
        (norm([1, 2]), True),
        (norm([1]), True),
        (norm([-1], (-1, -1, -1)), True),
        (norm([-1], mode="outside_sqrt"), True),
    ],
    ids=["kernel", "two-axes", "another-axis", "unknown-width", "another-root"],
)
def test_other_norms_are_left(monkeypatch: pytest.MonkeyPatch, model: Any, lacks: bool) -> None:
    meet(monkeypatch, lacks=lacks)
    split_steps(model)
    assert "MVN" in types_of(model)


def places(count: int = 1, axis: int = -1, mode: str = "max", output: int = 1) -> Any:
    """Returns a graph of the places of the highest tokens, or of these."""
    tokens = ops.parameter((-1, -1), np.int32)
    found = ops.topk(tokens, np.int64(count), axis, mode, "value", index_element_type="i64")
    return ov.Model([found.output(output)], [tokens])


@pytest.mark.parametrize("axis", [-1, 1])
def test_without_a_kernel_the_place_of_the_highest_token_is_found_in_single_steps(
    monkeypatch: pytest.MonkeyPatch, axis: int
) -> None:
    meet(monkeypatch, lacks=True)
    model = places(axis=axis)
    split_steps(model)
    assert "TopK" not in types_of(model)
    tokens = np.array([[5, 9, 1, 9], [7, 1, 1, 1], [0, 1, 2, 3]], np.int32)
    np.testing.assert_array_equal(computed(model, tokens), [[1], [0], [3]])


@pytest.mark.parametrize(
    ("model", "lacks"),
    [
        (places(), False),
        (places(2), True),
        (places(axis=0), True),
        (places(mode="min"), True),
        (places(output=0), True),
    ],
    ids=["kernel", "two", "another-axis", "lowest", "tokens"],
)
def test_other_choices_are_left(monkeypatch: pytest.MonkeyPatch, model: Any, lacks: bool) -> None:
    meet(monkeypatch, lacks=lacks)
    split_steps(model)
    assert "TopK" in types_of(model)


@ON_LISTED
def test_sums_overflow_without_instructions_for_8_bits() -> None:
    overflow = EIGHT_BITS.isdisjoint(vector_units())
    assert [sums_overflow(kind) for kind in LAYERS] == [overflow, overflow]
    assert not lacks_kernels()


@ON_LISTED
@pytest.mark.parametrize(("instructions", "found"), [("AVX2", "False True True\n"), ("SSE41", "True True True\n")])
def test_older_instructions_are_found(instructions: str, found: str) -> None:
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    assert subprocess.check_output([sys.executable, "-c", TRY], env=limited, text=True) == found
