"""Threshold fitting against brute force over all thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from crossguard.errors import InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.thresholds import fit_budget, fit_threshold

Case = tuple[NDArray[np.bool_], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    posts, seed = draw(st.integers(1, 40)), draw(st.integers(0, 2**32 - 1))
    generator, steps = np.random.default_rng(seed), draw(st.sampled_from([4, 10**6]))
    return generator.random(posts) < draw(st.sampled_from([0.1, 0.5])), generator.integers(
        steps + 1, size=posts
    ) / steps


def every_threshold(scores: NDArray[np.float64]) -> list[float]:
    return [*np.unique(scores), *([1.0] if scores.max() < 1 else [])]


@given(cases())
@settings(deadline=None)
def test_f1_is_the_highest_of_all_thresholds(case: Case) -> None:
    truth, scores = case
    assume(truth.any())
    best = max(f1_score(truth, scores >= t, zero_division=0) for t in every_threshold(scores))
    found = fit_threshold(Criterion.parse("f1"), truth, scores)
    assert f1_score(truth, scores >= found, zero_division=0) == pytest.approx(best)
    assert 0 <= found <= 1
    assert found not in scores or found in {0.0, 1.0}


@given(cases(), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
@settings(deadline=None)
def test_recall_goal_is_met_with_the_fewest_flags(case: Case, criterion: float) -> None:
    truth, scores = case
    assume(truth.any())
    found = fit_threshold(Criterion("recall", criterion), truth, scores)
    met = [(scores >= t).sum() for t in every_threshold(scores) if (scores >= t)[truth].mean() >= criterion - 1e-12]
    assert (scores >= found)[truth].mean() >= criterion - 1e-12
    assert (scores >= found).sum() == min(met)


@given(cases(), st.sampled_from([0.3, 0.6, 1.0]))
@settings(deadline=None)
def test_precision_goal_is_met_with_the_highest_recall_or_refused(case: Case, criterion: float) -> None:
    truth, scores = case
    assume(truth.any())
    options = [
        t for t in every_threshold(scores) if (scores >= t).any() and truth[scores >= t].mean() >= criterion - 1e-12
    ]
    if not options:
        with pytest.raises(InputError, match="highest precision"):
            fit_threshold(Criterion("precision", criterion), truth, scores)
        return
    found = fit_threshold(Criterion("precision", criterion), truth, scores)
    assert truth[scores >= found].mean() >= criterion - 1e-12
    assert (scores >= found)[truth].mean() == pytest.approx(max((scores >= t)[truth].mean() for t in options))


@given(cases(), st.sampled_from([(1.0, 1.0), (1.0, 10.0), (7.0, 1.0)]))
@settings(deadline=None)
def test_cost_is_the_lowest_of_all_thresholds(case: Case, costs: tuple[float, float]) -> None:
    truth, scores = case
    assume(truth.any())

    def cost(threshold: float) -> float:
        flags = scores >= threshold
        return costs[0] * int((flags & ~truth).sum()) + costs[1] * int((~flags & truth).sum())

    found = fit_threshold(Criterion("cost", *costs), truth, scores)
    assert cost(found) == pytest.approx(min(cost(t) for t in every_threshold(scores)))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.02, 0.2, 1.0]))
@settings(deadline=None, max_examples=30)
def test_the_review_budget_of_all_labels_together_is_kept_and_used(seed: int, budget: float) -> None:
    scores = np.random.default_rng(seed).random((500, 3))
    flagged = (scores >= fit_budget(budget, scores)).any(axis=1).mean()
    assert flagged <= budget + 1e-9
    assert flagged >= budget - 3 / 500, "one more post per label would break the budget"


@given(cases())
@settings(deadline=None)
def test_weights_act_as_repeated_posts(case: Case) -> None:
    truth, scores = case
    assume(truth.any())
    counts = np.random.default_rng(0).integers(1, 4, size=len(truth))
    weighed = fit_threshold(Criterion("f1"), truth, scores, counts.astype(float))
    assert weighed == pytest.approx(fit_threshold(Criterion("f1"), np.repeat(truth, counts), np.repeat(scores, counts)))
