from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossguard.evaluation.bootstrap import engine_for, resample
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.metrics import FALSE_POSITIVE_RATES, METRICS, rate_key
from crossguard.evaluation.results import evaluate
from crossguard.evaluation.sample import Sample

NAN = float("nan")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


def sample(truth: list[list[float]], scores: list[list[float]], thresholds: float = 0.5) -> Sample:
    return Sample.build("ab"[: len(truth[0])], np.array(truth), np.array(scores), thresholds)


def measured(sample: Sample) -> dict[str, dict[str, Estimate]]:
    return evaluate(sample, 0).per_label


def test_a_label_without_positives_is_undefined_and_says_why() -> None:
    estimates = measured(sample([[0.0], [0.0]], [[0.9], [0.1]]))["a"]
    for name in ("recall", "f1", "roc_auc", "average_precision", "recall_at_fpr_0.01"):
        assert estimates[name] == Estimate.undefined("no positive post")
    assert str(estimates["recall"]) == "undefined: no positive post"
    assert estimates["precision"].value == 0.0, "flagged posts exist, and all are wrong"


def test_a_label_with_only_positives_has_no_auc() -> None:
    estimates = measured(sample([[1.0], [1.0]], [[0.9], [0.1]]))["a"]
    assert estimates["roc_auc"].reason == "no negative post"
    assert estimates["recall"].value == 0.5


def test_precision_is_undefined_when_nothing_is_flagged() -> None:
    estimates = measured(sample([[1.0], [0.0]], [[0.2], [0.1]]))["a"]
    assert estimates["precision"].reason == "nothing was flagged"
    assert estimates["f1"].value == 0.0


def test_fewer_posts_than_bins_leave_ece_undefined() -> None:
    assert measured(sample([[1.0], [0.0]], [[0.9], [0.1]]))["a"]["ece"].reason == "2 posts for 15 bins"


def test_a_macro_average_names_the_label_that_leaves_it_undefined() -> None:
    mixed = sample([[1.0, 0.0], [0.0, 0.0]], [[0.9, 0.4], [0.1, 0.2]])
    overall = evaluate(mixed, 0).overall
    assert overall["roc_auc_macro"] == Estimate.undefined("b: no positive post")
    assert overall["roc_auc_weighted"].value == 1.0, "a label without positives weighs nothing"
    assert overall["roc_auc_micro"].value == 1.0


def test_a_label_that_nobody_annotated_is_left_out() -> None:
    partly = sample([[1.0, NAN], [0.0, NAN]], [[0.9, 0.4], [0.1, 0.2]])
    assert partly.annotated == ("a",)
    assert evaluate(partly, 0).overall["roc_auc_macro"].value == 1.0


def test_no_annotation_at_all_gives_undefined_figures_only() -> None:
    blank = sample([[NAN], [NAN]], [[0.9], [0.1]])
    assert evaluate(blank, 0).overall == {"subset_accuracy": Estimate.undefined("no label is annotated")}
    assert all(estimate.value is None for estimate in evaluate(blank, 0).per_label["any"].values())


def test_intervals_cover_the_true_value_at_their_rate() -> None:
    generator, covered = np.random.default_rng(0), 0
    for trial in range(100):
        truth = (generator.random((300, 1)) < 0.5).astype(float)
        scores = np.clip(0.3 * truth + 0.7 * generator.random((300, 1)), 0, 1)
        overall = resample(engine_for(Sample.build("a", truth, scores)), np.arange(len(truth)), rounds=200, seed=trial)
        low, high = np.percentile(overall["roc_auc_macro"], [2.5, 97.5])
        # P(0.3 + 0.7 u > 0.7 v) for uniform u, v: 1 - (4/7)^2 / 2.
        covered += low <= 1 - (4 / 7) ** 2 / 2 <= high
    assert 88 <= covered <= 100


def test_the_same_seed_gives_the_same_rounds() -> None:
    one = sample([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[0.9, 0.4], [0.1, 0.2], [0.5, 0.5]])
    first, second = (resample(engine_for(one), one.owners, 50, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first["f1_macro"], second["f1_macro"])


@pytest.mark.slow
def test_ten_thousand_posts_take_a_thousand_rounds_in_under_a_minute() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((10_000, 5)) < 0.2).astype(float)
    big = Sample.build("abcde", truth, generator.random((10_000, 5)))
    # Processor time, as a busy machine can make anything take a minute; measured: 7 seconds.
    start = time.process_time()
    overall = resample(engine_for(big), big.owners, 1000)
    assert time.process_time() - start < 60
    assert overall["f1_macro"].shape == (1000,)


@pytest.mark.parametrize("posts", [60, 300, 2000])
def test_every_metric_lies_in_its_own_interval(posts: int) -> None:
    random = np.random.default_rng(posts)
    scores = random.random((posts, 2)) ** 2
    # Calibrated scores: their binned ECE is noise alone, and every resample has more of it.
    found = evaluate(Sample.build("ab", (random.random((posts, 2)) < scores).astype(float), scores), rounds=200)
    for estimates in (found.overall, *found.per_label.values()):
        for key, estimate in estimates.items():
            if estimate.value is not None and estimate.low is not None and estimate.high is not None:
                assert estimate.low <= estimate.value <= estimate.high, key
    assert found.per_label["a"]["ece"].interval


def test_posts_of_a_cross_fit_are_ranked_by_the_scores_before_it() -> None:
    random = np.random.default_rng(0)
    truth = (random.random((200, 2)) < 0.3).astype(float)
    truth[:20, 1] = NAN
    scores, before = random.random((2, 200, 2))
    crossed = replace(Sample.build("ab", truth, scores), before=before)
    ranked, fitted = Sample.build("ab", truth, before), Sample.build("ab", truth, scores)
    found = {key: evaluate(one, rounds=20) for key, one in (("", crossed), ("ranks", ranked), ("scores", fitted))}
    by_rank = {"roc_auc", "average_precision", *map(rate_key, FALSE_POSITIVE_RATES)}
    for label in ("a", "b", "any"):
        for name, estimate in found[""].per_label[label].items():
            expected = found["ranks" if name in by_rank else "scores"].per_label[label][name]
            assert (estimate.value, estimate.low) == pytest.approx((expected.value, expected.low)), (label, name)
    assert found[""].overall["roc_auc_micro"] == found["ranks"].overall["roc_auc_micro"]
    assert found[""].overall["ece_macro"].value == pytest.approx(found["scores"].overall["ece_macro"].value)


def test_every_metric_is_described_with_its_averages() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.meaning} | {', '.join(metric.averages)} |" in text, metric.name
