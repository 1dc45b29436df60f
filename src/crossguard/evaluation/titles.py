"""What tables and pages call each estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "precision": "Precision",
        "recall": "Recall",
        "f1": "F1",
        "roc_auc": "ROC-AUC",
        "average_precision": "Average precision",
        "false_positive_rate": "False-positive rate",
        "balanced_accuracy": "Balanced accuracy",
        "recall_at_fpr_0.01": "Recall at 1 % false positives",
        "recall_at_fpr_0.05": "Recall at 5 % false positives",
        "recall_at_fpr_0.1": "Recall at 10 % false positives",
        "brier": "Brier",
        "log_loss": "Log loss",
        "ece": "ECE",
        "subset_accuracy": "All labels right",
    }
)
# The metrics of a label, and the averages of a comparison, that tables have room for.
SHOWN = ("precision", "recall", "f1", "roc_auc", "average_precision", "ece")
# Metrics of which less is better.
LOWER_IS_BETTER = frozenset({"false_positive_rate", "brier", "log_loss", "ece"})
ANY_KEYS = ("any/f1", "any/roc_auc", "any/average_precision")
KEYS = ("f1_macro", "f1_micro", "roc_auc_macro", "average_precision_macro", "ece_macro")
_BRIEF: Mapping[str, str] = MappingProxyType({"average_precision": "Avg\nprec", "subset_accuracy": "All\nright"})


def title(key: str) -> str:
    """Returns the title of an estimate, such as `F1 macro` for `f1_macro` and `ROC-AUC any` for `any/roc_auc`."""
    metric, of = _parts(key)
    return f"{TITLES.get(metric, metric)} {of}".strip()


def brief(key: str) -> str:
    """Returns a title for a narrow column; the label or the average stands on a line of its own."""
    metric, of = _parts(key)
    name = _BRIEF.get(metric, TITLES.get(metric, metric))
    return f"{name.replace(chr(10), ' ')}\n{of}" if of else name


def best(key: str, values: Iterable[float | None]) -> float | None:
    """Returns the best of some values of an estimate; None where none is known."""
    known = [value for value in values if value is not None]
    choose = min if _parts(key)[0] in LOWER_IS_BETTER else max
    return choose(known, default=None)


def _parts(key: str) -> tuple[str, str]:
    """Returns the metric, and the label or the average that it is of, if any."""
    if key in TITLES:
        return key, ""
    label, slash, metric = key.partition("/")
    name, _, average = key.rpartition("_")
    return (metric, label) if slash else (name, average)
