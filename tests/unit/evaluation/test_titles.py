"""What tables call estimates, and which value of a column is the best."""

from __future__ import annotations

import pytest

from crossguard.evaluation.metrics import METRICS
from crossguard.evaluation.titles import KEYS, LOWER_IS_BETTER, TITLES, best, brief, title


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("f1_macro", "F1 macro"),
        ("any/roc_auc", "ROC-AUC any"),
        ("recall_at_fpr_0.05_macro", "Recall at 5 % false positives macro"),
        ("racist/false_positive_rate", "False-positive rate racist"),
        ("subset_accuracy", "All labels right"),
        ("something_new", "something new"),
    ],
)
def test_a_key_is_told_in_words(key: str, named: str) -> None:
    assert title(key) == named


def test_a_narrow_column_has_the_label_or_average_on_a_line_of_its_own() -> None:
    assert brief("average_precision_macro") == "Avg prec\nmacro"
    assert brief("average_precision") == "Avg\nprec"


def test_every_metric_has_a_title() -> None:
    assert set(METRICS) <= set(TITLES)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("f1_macro", 0.9),
        ("ece_macro", 0.1),
        ("racist/ece", 0.1),
        ("any/false_positive_rate", 0.1),
        ("false_positive_rate_macro", 0.1),
        ("any/recall_at_fpr_0.05", 0.9),
    ],
)
def test_less_is_better_where_it_is_an_error_whatever_it_is_of(key: str, value: float) -> None:
    assert best(key, [0.5, None, 0.1, 0.9]) == value
    assert best(key, [None]) is None


def test_what_the_docs_say_of_lower_values_is_what_decides() -> None:
    told = {name for name, metric in METRICS.items() if "lower is better" in metric.meaning}
    assert told | {"false_positive_rate"} == LOWER_IS_BETTER
    assert all(title(key) for key in KEYS)
