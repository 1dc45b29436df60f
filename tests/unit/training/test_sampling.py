"""Which posts an epoch shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="training belongs to crossguard[train]")
pytest.importorskip("pyarrow", reason="training belongs to crossguard[train]")

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from crossguard.errors import ConfigError
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe
from crossguard.training.sampling import class_weights, draw, plan_epoch


def examples(n: int, repeats: float = 1.0, positive: float = 0.2) -> Examples:
    targets = np.zeros((n, 5), dtype=np.float32)
    targets[: int(n * positive), 0] = 1
    names = [str(i) for i in range(n)]
    nothing = [""] * n
    posts = pa.table({"id": names, "text": names, "image_text": nothing, "image": nothing, "source": ["table"] * n})
    weights, draws = np.ones((n, 5), dtype=np.float32), np.full(n, repeats, dtype=np.float32)
    return Examples(posts, targets, targets.max(axis=1, keepdims=True), weights, draws)


def lengths(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(3, 60, size=n)


@settings(deadline=None)
@given(n=st.integers(1, 300), size=st.integers(1, 40), tokens=st.one_of(st.none(), st.integers(60, 900)))
def test_an_epoch_shows_each_post_once_within_the_limits(n: int, size: int, tokens: int | None) -> None:
    recipe = Recipe(per_device_train_batch_size=size, max_batch_tokens=tokens)
    own = lengths(n)
    batches = [batch for step in plan_epoch(recipe, examples(n), lambda _: own, 0) for batch in step.batches]
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert all(len(batch) <= size for batch in batches)
    if tokens is not None:
        assert all(len(batch) == 1 or len(batch) * own[batch].max() <= tokens for batch in batches)


def test_fewer_batches_than_processes_are_refused_before_anything_hangs() -> None:
    with pytest.raises(ConfigError, match="4 processes need a batch each, and epoch 1 has 2"):
        plan_epoch(Recipe(per_device_train_batch_size=8), examples(16), lambda _: lengths(16), 0, 4)
    steps = plan_epoch(Recipe(per_device_train_batch_size=4), examples(16), lambda _: lengths(16), 0, 4)
    assert all(len(step.batches) == 4 for step in steps)


def test_the_plan_depends_on_seed_and_epoch_alone() -> None:
    plans = [plan_epoch(Recipe(seed=1), examples(90), lambda _: lengths(90), epoch) for epoch in (0, 0, 1)]
    flat = [np.concatenate([batch for step in plan for batch in step.batches]).tolist() for plan in plans]
    assert flat[0] == flat[1]
    assert flat[0] != flat[2]


@pytest.mark.parametrize("weighted", [False, True])
def test_two_processes_share_what_one_sees(weighted: bool) -> None:
    base = Recipe(per_device_train_batch_size=8, weighted_sampling=weighted)
    twice = base.model_copy(update={"gradient_accumulation_steps": 2})
    one = plan_epoch(twice, examples(96), lambda _: lengths(96), 0, processes=1)
    two = plan_epoch(base, examples(96), lambda _: lengths(96), 0, processes=2)
    assert len(one) == len(two)
    for single, pair in zip(one, two, strict=True):
        both = [rows.tolist() for process in (0, 1) for rows in pair.batches[process::2]]
        assert sorted(both) == sorted(rows.tolist() for rows in single.batches)


def test_every_process_has_a_batch_in_every_step() -> None:
    plan = plan_epoch(Recipe(per_device_train_batch_size=7), examples(50), lambda _: lengths(50), 0, processes=3)
    assert all(len(step.batches) == 3 for step in plan)


def test_texts_of_like_length_meet() -> None:
    own = lengths(2000)

    def padding(grouped: bool) -> float:
        plan = plan_epoch(Recipe(group_by_length=grouped), examples(2000), lambda _: own, 0)
        batches = [batch for step in plan for batch in step.batches]
        return float(sum(len(batch) * own[batch].max() for batch in batches) / own.sum())

    assert padding(grouped=True) < 1.1
    assert padding(grouped=False) > 1.5


def test_repeats_are_kept_on_average() -> None:
    repeats = np.array([0.0, 0.25, 1.0, 2.5] * 2000, dtype=np.float32)
    rows = draw(repeats, np.random.default_rng(0))
    counts = np.bincount(rows, minlength=len(repeats)).reshape(-1, 4).mean(axis=0)
    assert counts == pytest.approx([0, 0.25, 1, 2.5], abs=0.05)


def test_class_weights_follow_the_effective_number_of_samples() -> None:
    targets = np.zeros((1000, 2), dtype=np.float32)
    targets[:10, 0] = 1
    targets[10:110, 1] = 1
    weights = class_weights(targets, beta=0.99)
    rates = [(1 - 0.99) / (1 - 0.99**n) for n in (10, 100, 890)]
    assert weights[0] / weights[500] == pytest.approx(rates[0] / rates[2])
    assert weights[50] / weights[500] == pytest.approx(rates[1] / rates[2])
    assert weights.mean() == pytest.approx(1)
    assert class_weights(targets, beta=0) == pytest.approx(np.ones(1000))


def test_weighted_sampling_draws_rare_classes_more_often() -> None:
    rare = examples(1000, positive=0.02)
    recipe = Recipe(weighted_sampling=True, effective_number_beta=0.999)
    rows = np.concatenate(
        [batch for step in plan_epoch(recipe, rare, lambda _: lengths(1000), 0) for batch in step.batches]
    )
    assert len(rows) == 1000
    assert 0.3 < (rare.targets[rows, 0] > 0).mean() < 0.7
