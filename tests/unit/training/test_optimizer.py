"""With which rates weights are trained, and which are not: settings that must really be applied."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tests.support.tiny_training import KINDS, TARGETS, batch_of, model_of, recipe_of
from torch.optim.lr_scheduler import LambdaLR

from crossguard.errors import ConfigError
from crossguard.training.objective import Objective
from crossguard.training.optimizer import (
    build_optimizer,
    checkpoint_gradients,
    freeze,
    rate_factor,
    set_dropout,
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
    LambdaLR(optimizer, rate_factor(recipe, 10))
    assert {group["lr"] for group in optimizer.param_groups} == {recipe.lr_encoder / 5, recipe.lr_head / 5}


def test_dropout_of_the_text_encoder_is_set() -> None:
    recipe = recipe_of(encoder_dropout=0.0, embedding_dropout=0.3)
    model = model_of(recipe)
    set_dropout(model, recipe)
    embeddings, *layers = model.architecture.text_layers(model.holders()[0])
    assert {m.p for m in embeddings.modules() if isinstance(m, torch.nn.Dropout)} == {0.3}
    assert {m.p for layer in layers for m in layer.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}


def test_dropout_that_an_encoder_does_not_have_is_not_set_in_silence() -> None:
    recipe = recipe_of("clip", embedding_dropout=0.3)
    with pytest.raises(ConfigError, match="no dropout that embedding_dropout could set"):
        set_dropout(model_of(recipe), recipe)
    recipe = recipe_of("clip", embedding_dropout=0.0, encoder_dropout=0.3)
    set_dropout(model_of(recipe), recipe)


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
