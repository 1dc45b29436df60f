"""What training lowers, and with which rates: settings that must really be applied."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel
from crossguard.training.batches import Tensors
from crossguard.training.objective import Objective, pos_weights, prior_logits
from crossguard.training.optimizer import (
    build_optimizer,
    build_scheduler,
    checkpoint_gradients,
    freeze,
    rate_factor,
    set_dropout,
)
from crossguard.training.recipe import Recipe

KINDS = [(backend, head) for backend in ("clip", "siglip", "compact") for head in ("fusion", "mtl")]
TARGETS = np.array([[1, 0, 0, 0, 0]] + [[0, 1, 0, 0, 0]] * 3 + [[0, 0, 0, 0, 0]] * 6, dtype=np.float32)


def recipe_of(backend: str = "compact", head: str = "fusion", **settings: Any) -> Recipe:
    length = 64 if backend == "siglip" else 77
    base: dict[str, Any] = {"backend": backend, "head": head, "encoder_name": "tiny", "fusion_dim": 16}
    base["image_size"] = 32
    return Recipe(**{**base, "max_text_length": length, **settings})


def model_of(recipe: Recipe) -> GatedModel:
    torch.manual_seed(0)
    return tiny(ModelConfig(recipe.backend, recipe.head, recipe.num_outputs, recipe.fusion_dim))


def batch_of(recipe: Recipe, n: int = 4) -> Tensors:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 90, (n, 64 if recipe.backend == "siglip" else 8), generator=generator)
    ids[:, -1] = 98
    return Tensors(
        ids,
        torch.ones_like(ids),
        torch.randint(0, 256, (n, 32, 32, 3), dtype=torch.uint8, generator=generator),
        None,
        torch.ones(n),
        torch.ones(n),
        torch.from_numpy(TARGETS[:n]),
        torch.from_numpy(TARGETS[:n].max(axis=1, keepdims=True)),
        torch.ones(n, recipe.num_outputs),
    )


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_encoders_and_head_learn_at_their_own_rates(backend: str, head: str) -> None:
    recipe = recipe_of(backend, head, lr_encoder=1e-5, lr_head=5e-4, weight_decay=0.02)
    model = model_of(recipe)
    rates = {id(w): group["lr"] for group in build_optimizer(model, recipe).param_groups for w in group["params"]}
    for name, weight in model.named_parameters():
        encoder = name.startswith(("backbone.", "tower_")) and "logit_" not in name
        assert rates[id(weight)] == (1e-5 if encoder else 5e-4), name


def test_layers_decay_towards_the_first_and_norms_are_not_decayed() -> None:
    recipe = recipe_of("compact", lr_encoder=1e-3, layer_decay=0.5, weight_decay=0.1)
    model = model_of(recipe)
    groups = build_optimizer(model, recipe).param_groups
    found = {id(w): (group["lr"], group["weight_decay"]) for group in groups for w in group["params"]}
    own = dict(model.named_parameters())
    assert found[id(own["backbone.text_model.encoder.layer.1.output.dense.weight"])] == (1e-3, 0.1)
    assert found[id(own["backbone.text_model.encoder.layer.0.output.dense.weight"])] == (5e-4, 0.1)
    assert found[id(own["backbone.text_model.embeddings.word_embeddings.weight"])] == (2.5e-4, 0.0)
    assert found[id(own["ln_fused.weight"])] == (recipe.lr_head, 0.0)


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_frozen_towers_do_not_move(backend: str, head: str) -> None:
    recipe = recipe_of(backend, head, freeze_text=True, freeze_image_layers=1)
    model = model_of(recipe)
    freeze(model, recipe)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert not [name for name in trained if "text_model" in name or "text_projection" in name]
    assert [name for name in trained if "vision_model" in name]
    assert not [name for name in trained if "patch_embedding" in name or ".stem." in name]


def test_rates_rise_and_fall_as_a_cosine() -> None:
    factor = rate_factor(recipe_of(warmup_ratio=0.1), 100)
    assert factor(0) == pytest.approx(0.1)
    assert factor(9) == pytest.approx(1.0)
    assert factor(55) == pytest.approx(0.5, abs=0.01)
    assert factor(100) == pytest.approx(0.0, abs=1e-3)
    linear = rate_factor(recipe_of(warmup_ratio=0.0, lr_scheduler_type="linear"), 100)
    assert linear(25) == pytest.approx(0.75)
    assert rate_factor(recipe_of(warmup_ratio=0.0, lr_scheduler_type="constant"), 100)(99) == 1.0


def test_the_scheduler_reaches_the_optimizer() -> None:
    recipe = recipe_of(warmup_ratio=0.5)
    optimizer = build_optimizer(model_of(recipe), recipe)
    build_scheduler(optimizer, recipe, 10)
    assert {group["lr"] for group in optimizer.param_groups} == {recipe.lr_encoder / 5, recipe.lr_head / 5}


def test_dropout_of_the_text_encoder_is_set() -> None:
    recipe = recipe_of(encoder_dropout=0.0, embedding_dropout=0.3)
    model = model_of(recipe)
    set_dropout(model, recipe)
    embeddings, *layers = model.architecture.text_layers(model.holders()[0])
    assert {m.p for m in embeddings.modules() if isinstance(m, torch.nn.Dropout)} == {0.3}
    assert {m.p for layer in layers for m in layer.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}


@pytest.mark.parametrize("backend", ["clip", "siglip", "compact"])
def test_gradient_checkpointing_changes_no_gradient(backend: str) -> None:
    recipe = recipe_of(backend)
    gradients = []
    for checkpointing in (False, True):
        objective = Objective(model_of(recipe), recipe, TARGETS)
        if checkpointing:
            checkpoint_gradients(objective.model)
        torch.manual_seed(3)
        objective.train()
        objective(batch_of(recipe)).backward()
        gradient = objective.model.proj_t.weight.grad
        assert gradient is not None
        gradients.append(gradient)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


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
        known = Tensors(
            batch.input_ids,
            batch.attention_mask,
            None,
            features,
            batch.text_present,
            batch.image_present,
            batch.targets,
            batch.unions,
            batch.weights,
        )
        assert torch.allclose(objective.logits(known), objective.logits(batch), atol=1e-6)
