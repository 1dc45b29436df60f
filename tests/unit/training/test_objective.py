"""What training lowers: settings that must really be applied."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tests.support.tiny_training import TARGETS, batch_of, model_of, recipe_of

from crossguard.training.objective import Objective, pos_weights, prior_logits


def test_balanced_weights_are_negatives_per_positive() -> None:
    weights = pos_weights(recipe_of(pos_weight="balanced"), TARGETS)
    assert weights.tolist() == pytest.approx([9, 7 / 3, 20, 20, 20])
    assert pos_weights(recipe_of(pos_weight=(1, 2, 3, 4, 5)), TARGETS).tolist() == [1, 2, 3, 4, 5]


def test_logit_adjustment_adds_the_log_odds_of_the_priors_in_training() -> None:
    adjusted = recipe_of(use_logit_adjustment=True)
    assert prior_logits(adjusted, TARGETS)[0] == pytest.approx(math.log(0.1 / 0.9))
    losses = []
    for recipe in (recipe_of(), adjusted):
        objective = Objective(model_of(recipe), recipe, TARGETS).eval()
        losses.append(objective(batch_of(recipe)).item())
        assert objective.logits(batch_of(recipe)).abs().max() < 2  # scoring adds nothing
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)


@pytest.mark.parametrize(
    "changed",
    [
        {"loss_type": "focal"},
        {"loss_type": "focal", "focal_gamma": 3.0},
        {"pos_weight": "balanced"},
        {"label_smoothing": 0.2},
        {"union_weight": 1.0},
    ],
)
def test_settings_of_the_loss_change_it(changed: dict[str, Any]) -> None:
    losses = []
    for recipe in (recipe_of(), recipe_of(**changed)):
        objective = Objective(model_of(recipe), recipe, TARGETS).eval()
        losses.append(objective(batch_of(recipe)).item())
    assert losses[0] != pytest.approx(losses[1], abs=1e-4)


def test_known_image_features_replace_pixels() -> None:
    recipe = recipe_of()
    objective = Objective(model_of(recipe), recipe, TARGETS).eval()
    batch = batch_of(recipe)
    assert batch.pixels is not None
    with torch.no_grad():
        features = objective.model.image_features(objective.normalizer(batch.pixels))
        known = replace(batch, pixels=None, image_features=features)
        assert torch.allclose(objective.logits(known), objective.logits(batch), atol=1e-6)
