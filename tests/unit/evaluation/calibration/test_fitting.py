from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from crossguard.decision.calibration import sigmoid
from crossguard.errors import ConfigError, InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.fitting import Fitted, Plan, cross_fit, fit
from crossguard.evaluation.results import evaluate
from crossguard.evaluation.sample import Sample

LABELS = ("a", "b")


def data(posts: int = 2000, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Overconfident logits (twice the true ones) of two labels with base rates near 0.3 and 0.15."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(posts, 2)) * 1.5 + np.array([-1.2, -2.4])
    return 2 * true, (generator.random((posts, 2)) < sigmoid(true)).astype(np.float64)


def overall(key: str, sample: Sample) -> float:
    value = evaluate(sample, rounds=0).overall[key].value
    assert value is not None
    return value


def flags(fitted: Fitted, logits: NDArray[np.float64]) -> NDArray[np.bool_]:
    return fitted.scores(LABELS, logits) >= np.array([fitted.rules[name].threshold for name in LABELS])


def test_scores_are_calibrated_on_fresh_posts() -> None:
    fitted = fit(Plan(), LABELS, *data())
    logits, truth = data(seed=1)
    before = overall("ece_macro", Sample.build(LABELS, truth, sigmoid(logits)))
    after = overall("ece_macro", Sample.build(LABELS, truth, fitted.scores(LABELS, logits)))
    assert after < 0.03 < before


def test_each_label_has_its_own_goal() -> None:
    logits, truth = data()
    plan = Plan(Criterion("f1"), {"b": Criterion("recall", 0.95)})
    caught = flags(fit(plan, LABELS, logits, truth), logits)[:, 1]
    assert caught[truth[:, 1] > 0].mean() >= 0.95


def test_a_given_prevalence_shifts_scores_and_thresholds_together() -> None:
    logits, truth = data()
    fitted = fit(Plan(Criterion("precision", 0.6), prevalence={"a": 0.05}), LABELS, logits, truth)
    here = fit(Plan(Criterion("precision", 0.6)), LABELS, logits, truth)
    assert fitted.scores(LABELS, logits)[:, 0].mean() < here.scores(LABELS, logits)[:, 0].mean() / 2
    assert flags(fitted, logits)[:, 0].sum() < flags(here, logits)[:, 0].sum()
    np.testing.assert_array_equal(flags(fitted, logits)[:, 1], flags(here, logits)[:, 1])


def test_a_feed_gives_its_prevalence_and_keeps_the_budget() -> None:
    logits, truth = data()
    rare = data(seed=2)
    innocent = (rare[1] == 0).all(axis=1)
    rows = np.flatnonzero(innocent | (np.arange(2000) % 10 == 0))
    feed = rare[0][rows]
    fitted = fit(Plan(Criterion("review-budget", 0.02)), LABELS, logits, truth, feed=feed)
    assert flags(fitted, feed).any(axis=1).mean() <= 0.02
    shift = fitted.rules["a"].prevalence
    assert shift is not None
    assert shift.target == pytest.approx(rare[1][rows, 0].mean(), abs=0.03)


def test_a_budget_that_shared_scores_leave_unused_is_told() -> None:
    logits, truth = data()
    steps = np.where(logits > 0, 1.0, -1.0)
    budget = Plan(Criterion("review-budget", 0.02))
    assert [note for note in fit(budget, LABELS, logits, truth).notes if "budget" in note] == []
    (note,) = (note for note in fit(budget, LABELS, steps, truth).notes if "budget" in note)
    assert note.startswith("Of a review budget of 2.00%, 0.00% is used: too many posts share a score")
    for kind, advised in (("isotonic", True), ("platt", False)):
        plan = Plan(Criterion("review-budget", 0.02), kinds=(kind,))
        (note,) = (note for note in fit(plan, LABELS, steps, truth).notes if "budget" in note)
        assert ("--calibration platt" in note) is advised, kind
    few = fit(budget, LABELS, steps[:40], truth[:40])
    assert not [note for note in few.notes if "budget" in note], "2 % of 40 posts is no post"


def test_recall_that_shared_scores_cost_is_told() -> None:
    logits, truth = data(posts=300)
    for kind, told in (("isotonic", True), ("platt", False)):
        plan = Plan(Criterion("precision", 0.6), kinds=(kind,))
        notes = [note for note in fit(plan, LABELS, logits, truth).notes if "shared a score" in note]
        assert bool(notes) is told, kind
        assert all(
            "precision>=0.6 is met with a recall of 0." in note and "--calibration platt" in note for note in notes
        )


def test_a_precision_is_kept_where_plain_scores_would_all_be_one() -> None:
    logits, truth = np.r_[np.linspace(41, 45, 60), np.linspace(38, 40, 100)], np.r_[np.ones(60), np.zeros(100)]
    plan = Plan(Criterion("precision", 0.9), kinds=("isotonic",))
    assert not fit(plan, ("a",), logits[:, None], truth[:, None]).notes


def test_a_budget_for_another_prevalence_needs_a_feed() -> None:
    with pytest.raises(ConfigError, match="give some with --feed"):
        fit(Plan(Criterion("review-budget", 0.02), prevalence={"a": 0.01}), LABELS, *data())


def test_bands_keep_their_promises_on_fresh_posts() -> None:
    plan = Plan(Criterion("f1"), kinds=("temperature",), miss_rate=0.1, block_rate=0.02)
    missed, blocked = [], []
    for seed in range(20):
        fitted = fit(plan, LABELS, *data(seed=seed))
        logits, truth = data(seed=1000 + seed)
        scores = fitted.scores(LABELS, logits)[:, 0]
        rule, yes = fitted.rules["a"], truth[:, 0] > 0
        assert rule.review is not None
        assert rule.block is not None
        assert rule.review <= rule.threshold <= rule.block
        missed.append((scores[yes] < rule.review).mean())
        harmless = ~(truth > 0).any(axis=1)
        blocked.append((scores[harmless] >= rule.block).mean())
    assert np.mean(missed) <= 0.11
    assert np.mean(blocked) <= 0.022


def test_the_promise_not_to_block_holds_for_a_post_and_not_for_each_label() -> None:
    """Five labels, each with chances of its own to block a harmless post."""
    labels, generator = tuple("abcde"), np.random.default_rng(0)

    def posts(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        truth = (generator.random((count, 5)) < 0.15).astype(float)
        return generator.normal(size=truth.shape) + 2 * truth - 1, truth

    blocked = []
    for _ in range(20):
        fitted = fit(Plan(kinds=("platt",), block_rate=0.02), labels, *posts(600))
        logits, truth = posts(2000)
        scores, limits = fitted.scores(labels, logits), [fitted.rules[name].block for name in labels]
        assert None not in limits
        harmless = truth.sum(axis=1) == 0
        blocked.append((scores[harmless] >= np.array(limits, dtype=float)).any(axis=1).mean())
    assert 0.01 < np.mean(blocked) < 0.025


def test_posts_that_miss_an_answer_never_lower_where_is_blocked() -> None:
    logits, truth = data(posts=400)
    partly = truth.copy()
    partly[::2, 1] = np.nan
    plan = Plan(kinds=("none",), block_rate=0.05)
    whole, some = (fit(plan, LABELS, logits, known).rules for known in (truth, partly))
    assert all((some[name].block or 0.0) >= (whole[name].block or 1.0) for name in LABELS)


def test_a_label_without_positives_is_refused_by_name() -> None:
    logits, truth = data()
    truth[:, 1] = 0
    with pytest.raises(InputError, match="Label 'b' has no positive post"):
        fit(Plan(), LABELS, logits, truth)


def test_an_unreachable_goal_names_the_label_and_the_best_value() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((500, 2)) < 0.1).astype(float)
    with pytest.raises(InputError, match=r"Label 'a': No threshold reaches precision>=0.99"):
        fit(Plan(Criterion("precision", 0.99)), LABELS, generator.integers(2, size=(500, 2)).astype(float), truth)


def test_cross_fitting_does_not_flatter_a_model_that_knows_nothing() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((150, 2)) < 0.3).astype(float)
    logits = generator.normal(size=(150, 2))
    sample = Sample.build(LABELS, truth, sigmoid(logits))
    crossed = overall("log_loss_macro", cross_fit(Plan(kinds=("isotonic",)), sample, logits))
    fitted = fit(Plan(kinds=("isotonic",)), LABELS, logits, truth)
    same = overall("log_loss_macro", Sample.build(LABELS, truth, fitted.scores(LABELS, logits)))
    assert same < crossed - 0.02, "the fitted estimate is the flattering one"


def test_cross_fitting_ranks_posts_as_their_logits_do() -> None:
    logits, truth = data(posts=200)
    sample = Sample.build(LABELS, truth, sigmoid(logits))
    crossed, plain = (evaluate(one, rounds=0).overall for one in (cross_fit(Plan(), sample, logits), sample))
    assert crossed["roc_auc_macro"] == plain["roc_auc_macro"]
    assert crossed["brier_macro"] != plain["brier_macro"]


def test_a_group_never_stands_on_both_sides_of_a_fold() -> None:
    logits, truth = data(posts=60)
    groups = np.repeat(np.arange(30), 2)
    sample = Sample.build(LABELS, truth, sigmoid(logits))
    crossed = cross_fit(Plan(kinds=("temperature",)), sample, logits, groups)
    # Posts of one fold share one calibration; twins must have been scored by the same one.
    scale = np.log(crossed.scores[:, 0] / (1 - crossed.scores[:, 0])) / logits[:, 0]
    np.testing.assert_allclose(scale[::2], scale[1::2])
    assert len(np.unique(scale.round(9))) == 5


def test_folds_with_few_posts_fit_the_calibration_of_the_policy() -> None:
    generator = np.random.default_rng(0)
    truth = (np.arange(300) < 10).astype(float)[:, None]
    logits = generator.normal(-4, 1, size=(300, 1)) + 2.5 * truth
    for kinds in (("platt",), ("none", "platt")):
        fitted = fit(Plan(kinds=kinds), ("a",), logits, truth)
        assert fitted.kinds == {"a": "platt"}
        sample = Sample.build(("a",), truth, fitted.scores(("a",), logits))
        crossed = cross_fit(Plan(kinds=kinds), sample, logits).scores
        assert crossed.mean() == pytest.approx(sample.scores.mean(), rel=0.2), "two scales were pooled"


def test_posts_of_one_group_are_kept_together_where_the_calibration_is_chosen() -> None:
    logits, truth = data(posts=60)
    groups = np.repeat(np.arange(60), 20)
    repeated = np.repeat(logits, 20, axis=0), np.repeat(truth, 20, axis=0)
    kept = fit(Plan(), LABELS, *repeated, groups=groups).kinds
    assert kept == fit(Plan(), LABELS, logits, truth).kinds
    assert kept != fit(Plan(), LABELS, *repeated).kinds


def test_posts_of_one_group_count_once_for_a_guarantee() -> None:
    logits, truth = data(posts=60)
    copies = np.repeat(logits, 40, axis=0), np.repeat(truth, 40, axis=0)
    groups = np.repeat(np.arange(60), 40)
    plan = Plan(Criterion("recall", 0.7), kinds=("none",), miss_rate=0.2, block_rate=0.05)
    bands = [
        [(rule.review, rule.block) for rule in fitted.rules.values()]
        for fitted in (fit(plan, LABELS, logits, truth), fit(plan, LABELS, *copies, groups=groups))
    ]
    assert bands[0] == bands[1]
    with pytest.raises(InputError, match=r"A guarantee of 0\.001 needs 999 different harmless posts, and"):
        fit(Plan(block_rate=0.001), LABELS, *copies, groups=groups)


def test_the_post_of_a_group_that_asks_most_of_a_band_counts() -> None:
    """Posts with the same words may have other images, and so other scores; here each group has two posts."""
    hateful, harmless = np.linspace(5, 1, 80), np.linspace(-1, 3, 80)  # the first of a group asks less
    truth = np.repeat([1.0, 0.0], 80)[:, None]
    plan = Plan(Criterion("recall", 0.9), kinds=("none",), miss_rate=0.05, block_rate=0.05)
    logits = np.concatenate([hateful, harmless])[:, None]
    rule = fit(plan, ("a",), logits, truth, groups=np.arange(160) // 2).rules["a"]
    assert rule.review is not None
    assert rule.block is not None
    assert sigmoid(hateful[-2]) < rule.review <= sigmoid(hateful[-3]), "one group of forty may be missed"
    assert sigmoid(harmless[-3]) < rule.block < sigmoid(harmless[-2])


def test_a_guarantee_that_all_posts_can_keep_is_not_refused_for_a_fold() -> None:
    generator = np.random.default_rng(0)
    truth = np.zeros((300, 1))
    truth[:20] = 1
    logits = 2 * truth + generator.normal(size=truth.shape)
    plan = Plan(miss_rate=0.05)
    fitted = fit(plan, ("a",), logits, truth)
    assert fitted.rules["a"].review is not None
    crossed = cross_fit(plan, Sample.build(("a",), truth, fitted.scores(("a",), logits)), logits)
    assert not np.isnan(crossed.scores).any()


def test_a_criterion_that_only_a_fold_misses_is_told_as_that() -> None:
    generator = np.random.default_rng(0)
    truth = np.zeros((300, 1))
    truth[:12] = 1
    logits = np.where(truth > 0, 0.8, -1) + generator.normal(size=truth.shape)
    plan = Plan(Criterion("precision", 0.8))
    fitted = fit(plan, ("a",), logits, truth)
    with pytest.raises(InputError, match=r"four fifths of the posts: Label 'a': No threshold reaches precision>=0\.8"):
        cross_fit(plan, Sample.build(("a",), truth, fitted.scores(("a",), logits)), logits)


def test_fewer_posts_without_a_label_than_folds_are_nothing_to_warn_of() -> None:
    truth = np.ones((60, 2))
    truth[:28, 0], truth[32:, 1] = 0, 0
    truth[28:32] = 0
    logits = 2 * truth + np.random.default_rng(0).normal(size=truth.shape)
    sample = Sample.build(LABELS, truth, sigmoid(logits))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        crossed = cross_fit(Plan(kinds=("platt",)), sample, logits)
    assert not np.isnan(crossed.scores).any()
