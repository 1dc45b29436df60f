"""What tables and pages call each estimate."""

from __future__ import annotations

from collections.abc import Mapping
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
_BRIEF: Mapping[str, str] = MappingProxyType({"average_precision": "Avg\nprec", "subset_accuracy": "All\nright"})


def title(key: str) -> str:
    """Returns the title of an estimate, such as `F1 macro` for `f1_macro` and `ROC-AUC any` for `any/roc_auc`."""
    if key in TITLES:
        return TITLES[key]
    if "/" in key:
        label, _, metric = key.partition("/")
        return f"{title(metric)} {label}"
    name, _, average = key.rpartition("_")
    return f"{TITLES.get(name, name)} {average}"


def brief(key: str) -> str:
    """Returns a title for a narrow column; the average stands on a line of its own."""
    if key in TITLES:
        return _BRIEF.get(key, TITLES[key])
    if "/" in key:
        label, _, metric = key.partition("/")
        return f"{brief(metric)}\n{label}"
    name, _, average = key.rpartition("_")
    return f"{_BRIEF.get(name, TITLES.get(name, name)).replace(chr(10), ' ')}\n{average}"
