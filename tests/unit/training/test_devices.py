"""In which numbers a run computes and who makes its batches, and that it says where it is not as its recipe."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch

from crossguard.errors import ConfigError
from crossguard.training import devices
from crossguard.training.devices import build_accelerator, has_fast_bf16, mixed_precision, precision_note, workers
from crossguard.training.recipe import Recipe


@pytest.mark.parametrize(("fast", "chosen"), [(True, "bf16"), (False, "no")])
def test_fp16_without_a_gpu_is_said(fast: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_fast_bf16", lambda: fast)
    recipe = Recipe(precision="fp16")
    assert mixed_precision(recipe, "cpu") == chosen
    note = precision_note(recipe, chosen, "cpu")
    assert note is not None
    assert "fp16 needs a CUDA GPU" in note


@pytest.mark.parametrize(("wish", "chosen"), [("fp32", "no"), ("bf16", "bf16"), ("auto", "no"), ("auto", "bf16")])
def test_what_was_asked_for_needs_no_note(wish: str, chosen: str) -> None:
    assert precision_note(Recipe.model_validate({"precision": wish}), chosen, "cpu") is None


def test_a_run_goes_on_in_the_numbers_in_which_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial behind `auto` may end otherwise on another machine, or where this one is busy."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    for fast in (True, False):
        monkeypatch.setattr(devices, "has_fast_bf16", lambda fast=fast: fast)
        assert build_accelerator(Recipe(), "bf16").mixed_precision == "bf16"
        assert build_accelerator(Recipe(), "no").mixed_precision == "no"
    with pytest.raises(ConfigError, match=r"began in fp16, in which this machine's cpu does not train"):
        build_accelerator(Recipe(), "fp16")
    note = precision_note(Recipe(precision="fp16"), "no", "cuda")
    assert note is not None
    assert "the run began without one; this run computes in fp32 on cuda" in note


@pytest.mark.parametrize(
    ("unit", "half_s", "fast"),
    [("avx512_bf16", 0.5, True), ("avx512_bf16", 1.9, False), ("amx_bf16", 0.2, True), ("avx512_vnni", 0.1, False)],
)
def test_auto_takes_bf16_only_where_it_is_faster(
    unit: str, half_s: float, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instructions for bf16 are no promise: those of an Intel Xeon without AMX take twice the time of float32."""
    seconds = {torch.float32: 1.0, torch.bfloat16: half_s}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {unit: True})
    monkeypatch.setattr(devices, "_seconds", seconds.__getitem__)
    monkeypatch.setattr(devices, "has_fast_bf16", has_fast_bf16.__wrapped__)
    assert devices.has_fast_bf16() is fast
    assert mixed_precision(Recipe(), "cpu") == ("bf16" if fast else "no")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_trial_takes_time(dtype: torch.dtype) -> None:
    assert devices._seconds(dtype) > 0


@pytest.mark.parametrize(
    ("device", "processes", "cores", "expected"),
    [
        ("cuda", 1, 4, 3),
        ("cuda", 1, 1, 0),
        ("cuda", 8, 8, 7),
        ("cuda", 16, 64, 3),
        ("cuda", 1, 64, 8),
        ("cpu", 1, 4, 0),
    ],
)
def test_batches_are_made_ahead_on_the_cores_that_this_process_may_use(
    device: str, processes: int, cores: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(devices, "available_cores", lambda: cores)
    accelerator: Any = SimpleNamespace(device=torch.device(device), num_processes=processes)
    assert workers(accelerator) == expected
