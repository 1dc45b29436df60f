from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crossguard.decision.calibration import Identity, logit, sigmoid
from crossguard.evaluation.calibration.maps import (
    KINDS,
    Fit,
    choose,
    enough,
    estimate_prevalence,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    log_loss,
    weights_for,
)


def draw(scale: float, shift: float, posts: int = 4000) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Logits whose true probability is sigmoid(scale * logit + shift)."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=posts) * 2
    return logits, generator.random(posts) < sigmoid(scale * logits + shift)


def test_temperature_and_platt_find_the_true_map() -> None:
    assert fit_temperature(*draw(0.5, 0.0)).scale == pytest.approx(0.5, abs=0.05)
    platt = fit_platt(*draw(0.5, -1.0))
    assert platt.scale == pytest.approx(0.5, abs=0.05)
    assert platt.shift == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize("fit_map", [fit_temperature, fit_platt])
def test_a_few_posts_that_logits_separate_make_no_other_certain(fit_map: Fit) -> None:
    logits, truth = np.linspace(-4, 4, 24), np.arange(24) >= 12
    found = fit_map(logits, truth)
    probabilities = found.apply(np.array([-4.0, -1.0, 1.0, 4.0]))
    assert 0.005 < probabilities[0] < 0.1
    assert 0.9 < probabilities[3] < 0.995
    assert fit_map(np.repeat(logits, 9), np.repeat(truth, 9)).apply(logits) == pytest.approx(
        found.apply(logits), abs=0.02
    ), "copies show no more"


@pytest.mark.parametrize(
    ("scale", "shift", "kind"), [(1.0, 0.0, "none"), (0.4, 0.0, "temperature"), (0.4, -2.0, "platt")]
)
def test_the_simplest_kind_that_fits_is_chosen(scale: float, shift: float, kind: str) -> None:
    name, _, losses = choose(*draw(scale, shift), np.arange(4000))
    assert name == kind
    assert set(losses) == set(KINDS)


def test_isotonic_wins_where_no_sigmoid_fits() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=4000) * 2
    truth = generator.random(4000) < np.where(np.abs(logits) < 2, 0.5, (logits > 0).astype(float))
    assert choose(logits, truth, np.arange(4000))[0] == "isotonic"


def test_too_few_answers_keep_the_plain_sigmoid() -> None:
    few = np.arange(20.0), np.arange(20) > 17, np.arange(20)
    assert choose(*few)[0] == "none"
    rich = {name: KINDS[name] for name in ("platt", "isotonic")}
    assert choose(*few, rich)[:2] == ("none", Identity()), "what it is called is what it is"


def test_a_kind_that_was_asked_for_is_fitted_to_few_answers_too() -> None:
    name, found, _ = choose(np.arange(20.0), np.arange(20) > 17, np.arange(20), {"platt": fit_platt})
    assert (name, found.kind) == ("platt", "platt")


def test_repeats_of_a_text_count_once() -> None:
    truth = np.arange(40) < 20
    assert enough(truth, np.arange(40))
    assert not enough(truth, np.where(truth, 0, np.arange(40)))
    assert not enough(~truth, np.where(truth, 0, np.arange(40)))


def test_repeats_of_a_text_do_not_make_a_richer_calibration_seem_better() -> None:
    logits, truth = draw(1.0, 0.0, posts=60)
    groups = np.repeat(np.arange(60), 20)
    repeated = np.repeat(logits, 20), np.repeat(truth, 20)
    assert choose(*repeated, np.arange(1200))[0] == "isotonic", "which knows every text from another fold"
    assert choose(*repeated, groups)[0] == choose(logits, truth, np.arange(60))[0] == "none"


def test_a_backward_model_is_not_turned_around() -> None:
    logits, truth = draw(1.0, -3.0)
    found = fit_platt(-5 - logits, truth)
    assert found.scale > 0
    np.testing.assert_allclose(found.apply(-5 - logits), truth.mean(), rtol=1e-4)


@given(st.integers(2, 60), st.integers(0, 2**32 - 1), st.sampled_from(["temperature", "platt", "isotonic"]))
@settings(deadline=None, max_examples=60)
def test_every_map_keeps_the_order_and_stays_inside(posts: int, seed: int, kind: str) -> None:
    generator = np.random.default_rng(seed)
    logits, truth = np.round(generator.normal(size=posts), 1), np.arange(posts) % 2 == 0
    levels = KINDS[kind](logits, truth).apply(np.sort(logits))
    assert (np.diff(levels) >= 0).all()
    assert ((levels >= 0) & (levels <= 1)).all()
    assert np.isfinite(log_loss(truth.astype(float), levels)).all()


def test_isotonic_of_one_distinct_logit_is_flat() -> None:
    np.testing.assert_allclose(
        fit_isotonic(np.zeros(4), np.array([True, False, False, False])).apply(np.zeros(1)), 0.25
    )


@pytest.mark.parametrize("target", [0.02, 0.1, 0.5, 0.8])
def test_em_finds_the_base_rate_of_an_unlabelled_feed(target: float) -> None:
    generator, source = np.random.default_rng(0), 0.3
    hateful = generator.random(20_000) < target
    # Gaussians one apart on either side: the calibrated logit is 4x / 2 + logit(prior).
    x = generator.normal(size=20_000) + np.where(hateful, 1.0, -1.0)
    scores = sigmoid(2 * x + logit(np.array([source])))
    assert estimate_prevalence(scores, source) == pytest.approx(target, abs=0.015)


def test_weights_give_the_target_share_and_keep_the_number_of_posts() -> None:
    truth = np.arange(10) < 3
    weights = weights_for(truth, 0.05)
    assert weights[truth].sum() / weights.sum() == pytest.approx(0.05)
    assert weights.sum() == pytest.approx(10)
