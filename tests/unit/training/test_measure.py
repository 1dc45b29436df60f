"""What is measured after an epoch."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

pytest.importorskip("pyarrow", reason="training belongs to crossguard[train]")

import pyarrow as pa

from crossguard.training.examples import Examples
from crossguard.training.measure import chosen, measure_outputs, output_names, unmeasured
from crossguard.training.recipe import Recipe

NAN = float("nan")
RECIPE = Recipe(labels=("racist", "sexist"), label_schemes=("any", "all"), auxiliary=("harm",))


def examples(targets: NDArray[np.float32], unions: NDArray[np.float32], sources: list[str]) -> Examples:
    n = len(targets)
    columns = {name: [""] * n for name in ("id", "text", "image_text", "image")}
    ones = np.ones_like(targets)
    return Examples(pa.table({**columns, "source": sources}), targets, unions, ones, ones[:, 0])


def random_posts(n: int = 60) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(0)
    targets = (random.random((n, 5)) < 0.4).astype(np.float32)
    logits = (2 * targets - 1 + random.normal(size=(n, 5))).astype(np.float32)
    return targets, np.full((n, 2), NAN, dtype=np.float32), logits


def test_metrics_are_means_over_outputs_and_then_over_sources() -> None:
    targets, unions, logits = random_posts()
    targets[30:, 1:] = np.nan
    found = measure_outputs(RECIPE, examples(targets, unions, ["a"] * 30 + ["b"] * 30), logits)
    first = [roc_auc_score(targets[:30, column], logits[:30, column]) for column in range(5)]
    second = roc_auc_score(targets[30:, 0], logits[30:, 0])
    assert found["roc_auc_macro"] == pytest.approx((np.mean(first) + second) / 2)
    assert found["roc_auc/a/all.sexist"] == pytest.approx(first[3])
    assert "roc_auc/b/all.sexist" not in found
    precision = [average_precision_score(targets[:30, column], logits[:30, column]) for column in range(5)]
    other = average_precision_score(targets[30:, 0], logits[30:, 0])
    assert found["average_precision_macro"] == pytest.approx((np.mean(precision) + other) / 2)
    micro = f1_score(targets[:30].reshape(-1), logits[:30].reshape(-1) > 0)
    assert found["f1_micro"] == pytest.approx((micro + f1_score(targets[30:, 0], logits[30:, 0] > 0)) / 2)


def test_the_loss_is_that_of_soft_targets() -> None:
    targets, unions, logits = random_posts()
    targets[:] = 0.3
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    expected = -(0.3 * np.log(p) + 0.7 * np.log(1 - p)).mean()
    found = measure_outputs(RECIPE, examples(targets, unions, ["a"] * 60), logits)
    assert found == {"loss": pytest.approx(expected, rel=1e-5)}, "no output has both answers"


def test_half_of_the_votes_are_a_yes_as_in_an_evaluation() -> None:
    targets, unions, logits = random_posts()
    halved = np.where(targets > 0, np.float32(0.5), targets)
    found, whole = (measure_outputs(RECIPE, examples(one, unions, ["a"] * 60), logits) for one in (halved, targets))
    assert {**found, "loss": whole["loss"]} == whole


def test_unions_count_where_nothing_else_can_be_measured() -> None:
    targets, unions, logits = random_posts()
    hateful = targets[:, :2].max(axis=1)
    targets[:] = np.nan
    unions[:, 0] = hateful
    found = measure_outputs(RECIPE, examples(targets, unions, ["a"] * 60), logits)
    expected = roc_auc_score(hateful, logits[:, :2].max(axis=1))
    assert found["roc_auc/a/any.union"] == found["roc_auc_macro"] == pytest.approx(expected)
    assert "loss" not in found


def test_outputs_that_no_source_measures_are_named() -> None:
    targets, unions, _ = random_posts()
    posts = examples(targets, unions, ["a"] * 30 + ["b"] * 30)
    assert unmeasured(RECIPE, posts) == []
    targets[:, 1], targets[:30, 3], targets[30:, 4] = 0, 1, np.nan
    assert unmeasured(RECIPE, posts) == ["any.sexist"], "others are measured in one source"
    targets[:] = 0
    assert unmeasured(RECIPE, posts) == [], "nothing is averaged"


def test_the_epoch_is_chosen_by_the_metric_that_the_recipe_names() -> None:
    measures = {"roc_auc_macro": 0.9, "loss": 0.2}
    assert chosen(Recipe(metric_for_best_model="roc_macro"), measures) == 0.9
    assert chosen(Recipe(metric_for_best_model="loss"), measures) == -0.2
    assert np.isnan(chosen(Recipe(metric_for_best_model="f1_macro"), measures))


def test_outputs_are_named_after_label_and_scheme() -> None:
    assert output_names(RECIPE) == ["any.racist", "any.sexist", "all.racist", "all.sexist", "harm"]
    assert output_names(Recipe(labels=("racist",))) == ["racist"]
