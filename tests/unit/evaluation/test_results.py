from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="metrics belong to crossguard[evaluate]")

from sklearn.metrics import classification_report

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
    assert one.low is not None
    assert one.high is not None
    assert one.value is not None
    assert one.low < one.value < one.high


def test_averages_are_those_that_were_measured() -> None:
    whole = evaluate(Sample.build(LABELS, TRUTH, SCORES), rounds=0)
    assert whole.averages(["f1", "roc_auc"]) == ["macro", "micro", "weighted"]
    assert whole.averages(["ece"]) == ["macro"]
    hateful_only = replace(whole, overall={})
    assert hateful_only.averages(["f1"]) == []
    assert whole.measured(["f1", "ece"]) == ["f1", "ece"]
    alone = replace(whole, per_label={"any": whole.per_label["any"]})
    assert alone.measured(["f1", "ece"]) == ["f1"], "its score is no probability"
