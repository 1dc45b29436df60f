from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="metrics belong to crossguard[evaluate]")

from scipy.stats import binom
from sklearn.metrics import classification_report
from tests.support.estimates import defined, width

from crossguard.evaluation.results import evaluate, to_report, to_test_metrics
from crossguard.evaluation.sample import Sample

LABELS = ("racist", "sexist")
TRUTH = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [0, 1], [1, 0]], dtype=np.float64)
SCORES = np.array([[0.9, 0.2], [0.6, 0.7], [0.7, 0.4], [0.1, 0.3], [0.2, 0.8], [0.3, 0.1]])


def test_the_report_has_the_numbers_of_scikit_learn() -> None:
    sample = Sample.build(LABELS, TRUTH, SCORES)
    report = to_report(evaluate(sample, rounds=0), {"racist": 0.5})
    theirs = classification_report(TRUTH > 0, sample.flags, target_names=LABELS, output_dict=True, zero_division=0.0)
    for name in (*LABELS, "micro avg", "macro avg", "weighted avg"):
        assert {key: report[name][key] for key in theirs[name]} == pytest.approx(theirs[name]), name
    assert list(report["racist"]) == [
        *("precision", "recall", "f1-score", "support", "roc_auc", "average_precision", "threshold")
    ]
    assert (report["racist"]["threshold"], report["sexist"]["threshold"]) == (0.5, None)


def test_what_is_undefined_is_null_with_its_reason_and_never_zero() -> None:
    truth = np.where(np.arange(2) == 1, 0.0, TRUTH)
    found = to_test_metrics(evaluate(Sample.build(LABELS, truth, SCORES), rounds=0))
    assert found["recall_macro"] is None
    assert found["undefined"]["recall_macro"] == "sexist: no positive post"
    assert found["recall_micro"] == pytest.approx(2 / 3)


def test_intervals_hold_the_value_and_depend_on_the_seed_alone() -> None:
    sample = Sample.build(LABELS, np.tile(TRUTH, (20, 1)), np.tile(SCORES, (20, 1)))
    one, again = (evaluate(sample, rounds=50, seed=3).overall["f1_macro"] for _ in range(2))
    assert one == again
    low, value, high = defined(one)
    assert low < value < high


def test_what_is_right_each_time_is_not_certain() -> None:
    truth = np.zeros((300, 2))
    truth[:5, 0], truth[:40, 1] = 1, 1
    found = evaluate(Sample.build(LABELS, truth, 0.1 + 0.8 * truth), rounds=400)
    recall = found.per_label["racist"]["recall"]
    assert (recall.value, recall.high) == (1, 1)
    assert recall.low == pytest.approx(0.62, abs=0.08), "what Jeffreys' prior leaves possible after 5 of 5"
    alarms = found.per_label["racist"]["false_positive_rate"]
    assert (alarms.value, alarms.low) == (0, 0)
    assert alarms.high == pytest.approx(2.5 / 295, rel=0.3)
    rates = ("precision", "recall", "f1", "false_positive_rate", "balanced_accuracy", "recall_at_fpr_0.01")
    averages = [*(f"{rate}_macro" for rate in rates), "f1_micro", "recall_weighted", "subset_accuracy"]
    shown = {f"{label}/{key}": found.per_label[label][key] for label in LABELS for key in rates}
    for key, estimate in (shown | {key: found.overall[key] for key in averages}).items():
        assert width(estimate) > 0, key


def test_what_is_wrong_each_time_is_not_certain() -> None:
    truth = np.tile([[1.0, 0.0]], (30, 1)) * (np.arange(30) < 10)[:, None]
    found = evaluate(Sample.build(LABELS, truth, 0.9 - 0.8 * truth), rounds=400)
    for key in ("recall", "recall_at_fpr_0.1", "precision"):
        estimate = found.per_label["racist"][key]
        low, value, high = defined(estimate)
        assert (value, low) == (0, 0), key
        assert 0.05 < high < 0.3, key
    assert found.overall["subset_accuracy"].high == pytest.approx(2.5 / 30, abs=0.04)


def test_an_auc_of_one_leaves_as_much_open_as_by_newcombe() -> None:
    for hateful, harmless, low in ((30, 30, 0.933), (20, 300, 0.948), (5, 200, 0.806)):
        truth = (np.arange(hateful + harmless) < hateful)[:, None].astype(np.float64)
        found = evaluate(Sample.build(("x",), truth, 0.3 + 0.4 * truth), rounds=1000)
        for estimate in (
            found.per_label["x"]["roc_auc"],
            found.per_label["any"]["roc_auc"],
            found.overall["roc_auc_macro"],
        ):
            assert (estimate.value, estimate.high) == (1, 1)
            assert estimate.low == pytest.approx(low, abs=0.03)
        assert defined(found.per_label["x"]["average_precision"]).low < 0.95


def test_an_auc_of_zero_is_not_certain_and_one_of_a_constant_score_is() -> None:
    truth = (np.arange(60) < 30)[:, None].astype(np.float64)
    wrong = evaluate(Sample.build(("x",), truth, 0.7 - 0.4 * truth), rounds=400).per_label["x"]["roc_auc"]
    assert (wrong.value, wrong.low) == (0, 0)
    assert wrong.high == pytest.approx(0.067, abs=0.03)
    constant = evaluate(Sample.build(("x",), truth, np.full((60, 1), 0.5)), rounds=50).per_label["x"]["roc_auc"]
    assert (constant.value, constant.low, constant.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_scores_of_one_kind_of_post_do_not_show_how_far_those_of_the_other_are_off(kind: float) -> None:
    truth, off = np.full((300, 1), kind), np.linspace(0, 0.001, 300)[:, None]
    found = evaluate(Sample.build(("x",), truth, np.abs(truth - off)), rounds=1000)
    for key, mean in (("ece", 0.0005), ("brier", 0.0), ("ece_macro", 0.0005), ("brier_macro", 0.0)):
        estimate = (found.overall if key.endswith("macro") else found.per_label["x"])[key]
        assert estimate.value == pytest.approx(mean, abs=1e-6)
        assert estimate.low == pytest.approx(0, abs=1e-3)
        assert estimate.high == pytest.approx(2.3 / 300, rel=0.35), key
    loss = found.per_label["x"]["log_loss"]
    assert loss.high == pytest.approx(-np.log(0.0005) * 2.5 / 300, rel=0.3)


def test_a_sure_model_that_is_never_wrong_may_yet_be() -> None:
    random, held = np.random.default_rng(0), {"brier": 0, "ece": 0, "roc_auc": 0}
    true = {"brier": 0.01, "ece": 0.0095, "roc_auc": 0.99}
    for trial in range(60):
        truth, wrong = random.random(100) < 0.3, random.random(100) < 0.01
        scores = np.where(truth != wrong, 0.9995, 0.0005) + 0.0004 * random.random(100)
        found = evaluate(Sample.build(("x",), truth[:, None].astype(np.float64), scores[:, None]), 100, trial)
        for key, value in true.items():
            low, _, high = defined(found.per_label["x"][key])
            held[key] += low <= value <= high
    assert min(held.values()) >= 0.9 * 60, held


@pytest.mark.parametrize(("posts", "recall"), [(5, 0.8), (20, 0.95)])
def test_intervals_of_few_posts_hold_the_true_recall(posts: int, recall: float) -> None:
    truth = (np.arange(40 + posts) < posts)[:, None].astype(np.float64)
    held = 0.0
    for hits in range(posts + 1):
        scores = np.where(np.arange(len(truth)) < hits, 0.9, 0.1)[:, None]
        found = evaluate(Sample.build(("x",), truth, scores), rounds=200).per_label["x"]["recall"]
        low, _, high = defined(found)
        held += float(binom.pmf(hits, posts, recall)) * (low <= recall <= high)
    assert held > 0.94


def test_copies_of_posts_make_no_interval_narrower() -> None:
    random = np.random.default_rng(0)
    truth = (np.arange(90) < 30)[:, None].astype(np.float64)
    once = Sample.build(("x",), truth, np.clip(0.4 + 0.2 * truth + 0.2 * random.normal(size=(90, 1)), 0, 1))
    rows = np.tile(np.arange(90), 20)
    copied = replace(once.take(rows), groups=rows)
    one, many, unknown = (evaluate(s, 300).per_label["x"] for s in (once, copied, replace(copied, groups=None)))
    for key in ("recall", "f1", "roc_auc", "brier"):
        widths = [width(found[key]) for found in (one, many, unknown)]
        assert widths[1] == pytest.approx(widths[0]), key
        assert widths[2] < 0.4 * widths[0], key


def test_what_few_copied_texts_do_not_show_is_possible_for_as_few() -> None:
    truth = (np.arange(300) < 100)[:, None].astype(np.float64)
    sample = Sample.build(("x",), truth, 0.1 + 0.8 * truth, groups=np.arange(300) // 20)
    recall = evaluate(sample, 400).per_label["x"]["recall"]
    assert recall.low == pytest.approx(0.62, abs=0.1), "five texts are found, 20 times each"


def test_a_harmless_text_with_many_copies_makes_no_recall_uncertain() -> None:
    truth = (np.arange(1025) < 5)[:, None].astype(np.float64)
    sample = Sample.build(("x",), truth, 0.1 + 0.8 * truth, groups=np.arange(1025).clip(max=25))
    found = evaluate(sample, 400)
    assert found.per_label["x"]["recall"].low == pytest.approx(0.62, abs=0.1), "five single posts are found"
    assert found.overall["recall_micro"].low == pytest.approx(0.62, abs=0.1)


def test_copies_of_one_text_alone_have_no_interval() -> None:
    truth = (np.arange(40) < 20)[:, None].astype(np.float64)
    sample = Sample.build(("x",), truth, np.linspace(1, 0, 40)[:, None], groups=np.zeros(40, dtype=np.int64))
    found = evaluate(sample, 50).per_label["x"]["roc_auc"]
    assert (found.value, found.low, found.high) == (1, None, None)


def test_averages_are_those_that_were_measured() -> None:
    whole = evaluate(Sample.build(LABELS, TRUTH, SCORES), rounds=0)
    assert whole.averages(["f1", "roc_auc"]) == ["macro", "micro", "weighted"]
    assert whole.averages(["ece"]) == ["macro"]
    hateful_only = replace(whole, overall={})
    assert hateful_only.averages(["f1"]) == []
    assert whole.measured(["f1", "ece"]) == ["f1", "ece"]
    alone = replace(whole, per_label={"any": whole.per_label["any"]})
    assert alone.measured(["f1", "ece"]) == ["f1"], "its score is no probability"
