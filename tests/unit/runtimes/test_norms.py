"""Layer norms are computed, by OpenVINO's own node or in single steps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops
from tests.support.openvino_graphs import computed, types_of

from crossguard.machine import vector_units
from crossguard.runtimes import norms
from crossguard.runtimes.norms import computes_norms, split_norms

TRY = "from crossguard.runtimes.norms import computes_norms; print(computes_norms())"
X = np.random.default_rng(0).normal(5, 3, (2, 3, 48)).astype(np.float32)


def graph(axes: Any, shape: tuple[int, ...] = (-1, -1, 48), mode: str = "inside_sqrt") -> Any:
    """Returns a norm over some axes."""
    x = ops.parameter(shape, np.float32)
    return ov.Model([ops.mvn(x, axes, normalize_variance=True, eps=0.5, eps_mode=mode)], [x])


@pytest.mark.skipif("avx2" not in vector_units(), reason="about processors of x86 that Linux describes")
def test_the_kernel_is_there_with_avx2_and_fails_without() -> None:
    assert computes_norms()
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": "SSE41"}
    assert subprocess.check_output([sys.executable, "-c", TRY], env=limited, text=True) == "False\n"


@pytest.mark.parametrize("axes", [[-1], [2], ops.range(np.int64(-1), np.int64(0), np.int64(1), "i64")])
def test_without_a_kernel_a_norm_is_computed_in_single_steps(monkeypatch: pytest.MonkeyPatch, axes: Any) -> None:
    monkeypatch.setattr(norms, "computes_norms", lambda: False)
    model = graph(axes)
    split_norms(model)
    assert "MVN" not in types_of(model)
    assert "ReduceMean" not in types_of(model)
    around = X - X.mean(axis=-1, keepdims=True)
    exact = around / np.sqrt((around**2).mean(axis=-1, keepdims=True) + 0.5)
    np.testing.assert_allclose(computed(model, X), exact, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "computes"),
    [
        (graph([-1]), True),
        (graph([1, 2]), False),
        (graph([1]), False),
        (graph([-1], (-1, -1, -1)), False),
        (graph([-1], mode="outside_sqrt"), False),
    ],
    ids=["kernel", "two-axes", "another-axis", "unknown-width", "another-root"],
)
def test_other_norms_are_left(monkeypatch: pytest.MonkeyPatch, model: Any, computes: bool) -> None:
    monkeypatch.setattr(norms, "computes_norms", lambda: computes)
    split_norms(model)
    assert "MVN" in types_of(model)
