"""Measures after an epoch: per source and output, and the one number that chooses the epoch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe
from crossguard.training.targets import Floats

HALF: Final = 0.5
ALIASES: Final = {"roc_macro": "roc_auc_macro"}


def measure(recipe: Recipe, examples: Examples, logits: Floats) -> dict[str, float]:
    """Measures logits against known targets.

    Args:
        recipe: Names the outputs.
        examples: n posts.
        logits: float32 (n, outputs).

    Returns:
        `roc_auc_macro`, `average_precision_macro`, `f1_macro`, `f1_micro` (at 0.5) and `loss`, each the mean over the
        sources; and `roc_auc/<source>/<output>` for every output that has both classes there.
    """
    names = output_names(recipe)
    sources = np.array(examples.sources)
    detail: dict[str, float] = {}
    per_source: dict[str, list[dict[str, float]]] = {}
    for source in dict.fromkeys(examples.sources):
        rows = sources == source
        for column in range(recipe.num_outputs):
            figures = _measure_output(examples.targets[rows, column], logits[rows, column])
            if figures:
                per_source.setdefault(source, []).append(figures)
                detail[f"roc_auc/{source}/{names[column]}"] = figures["roc_auc_macro"]
        for place, label_scheme in enumerate(recipe.label_schemes):
            block = list(recipe.columns[label_scheme])
            union = _measure_output(examples.unions[rows, place], logits[rows][:, block].max(axis=1))
            if union:
                detail[f"roc_auc/{source}/{label_scheme}.union"] = union["roc_auc_macro"]
                per_source.setdefault(source, [union])
    means = [_mean(figures) for figures in per_source.values()]
    overall = _mean(means) if means else {}
    return overall | detail | _loss(examples.targets, logits)


def chosen(recipe: Recipe, measures: dict[str, float]) -> float:
    """Returns the number that chooses the epoch; higher is better. NaN when nothing could be measured."""
    name = ALIASES.get(recipe.metric_for_best_model, recipe.metric_for_best_model)
    value = measures.get(name, float("nan"))
    return -value if name == "loss" else value


def output_names(recipe: Recipe) -> list[str]:
    """Returns a name for each output: the label, with its label scheme where there are several."""
    if len(recipe.label_schemes) == 1:
        return [*recipe.labels, *recipe.auxiliary]
    return [f"{label_scheme}.{label}" for label_scheme in recipe.label_schemes for label in recipe.labels] + list(
        recipe.auxiliary
    )


def _measure_output(targets: Floats, logits: Floats) -> dict[str, float]:
    """Measures one output; empty where not both classes are known."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    known = ~np.isnan(targets)
    truth, scores = targets[known] > HALF, logits[known]
    if not truth.any() or truth.all():
        return {}
    flags = scores > 0
    hits, flagged = int((truth & flags).sum()), int(flags.sum())
    return {
        "roc_auc_macro": float(roc_auc_score(truth, scores)),
        "average_precision_macro": float(average_precision_score(truth, scores)),
        "f1_macro": 2 * hits / (flagged + int(truth.sum())),
        "hits": hits,
        "flagged_and_true": flagged + int(truth.sum()),
    }


def _mean(figures: list[dict[str, float]]) -> dict[str, float]:
    averaged = ("roc_auc_macro", "average_precision_macro", "f1_macro")
    means = {name: float(np.mean([entry[name] for entry in figures])) for name in averaged}
    if "f1_micro" in figures[0]:
        return means | {"f1_micro": float(np.mean([entry["f1_micro"] for entry in figures]))}
    micro = 2 * sum(entry["hits"] for entry in figures) / sum(entry["flagged_and_true"] for entry in figures)
    return means | {"f1_micro": micro}


def _loss(targets: Floats, logits: Floats) -> dict[str, float]:
    known = ~np.isnan(targets)
    if not known.any():
        return {}
    z, y = logits[known].astype(np.float64), targets[known]
    losses: NDArray[np.float64] = np.logaddexp(0, z) - y * z
    return {"loss": float(losses.mean())}
