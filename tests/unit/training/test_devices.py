"""A run that computes in other numbers than its recipe says so."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.training import devices
from crossguard.training.devices import mixed_precision, precision_note
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
