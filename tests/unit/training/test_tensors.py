"""Tensors of a batch move together, and batches come in the order of their plan."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tests.support.tiny_training import batch_of, recipe_of

from crossguard.training.tensors import Tensors, load_batches


def test_tensors_move_together_and_what_is_absent_stays_so() -> None:
    moved = batch_of(recipe_of()).to(torch.device("meta"))
    present = {name: getattr(moved, name) for name in Tensors.__slots__ if getattr(moved, name) is not None}
    assert {tensor.device.type for tensor in present.values()} == {"meta"}
    assert set(Tensors.__slots__) - set(present) == {"image_features"}


def test_batches_are_made_of_the_planned_rows_in_order() -> None:
    made = []
    plan = [np.array([3, 1]), np.array([0])]
    whole = batch_of(recipe_of())

    def make(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Tensors:
        made.append(rows.tolist())
        return whole

    assert list(load_batches(make, plan, workers=0)) == [whole, whole]
    assert made == [[3, 1], [0]]
