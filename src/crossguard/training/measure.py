"""Measures after an epoch: per source and output, and the one number that chooses the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import sigmoid
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.results import Evaluation, evaluate
from crossguard.evaluation.sample import Sample
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe
from crossguard.training.targets import Floats, answers

AVERAGES: Final = ("roc_auc_macro", "average_precision_macro", "f1_macro", "f1_micro")
ALIASES: Final = {"roc_macro": "roc_auc_macro"}


def measure_outputs(recipe: Recipe, examples: Examples, logits: Floats) -> dict[str, float]:
    """Measures logits against known targets.

    Returns:
        `roc_auc_macro`, `average_precision_macro`, `f1_macro`, `f1_micro` (at 0.5) and `loss`, each the mean over the
        sources; and `roc_auc/<source>/<output>` for every output that has both classes there.
    """
    names, scores = output_names(recipe), sigmoid(logits.astype(np.float64))
    sources = np.array(examples.sources)
    detail: dict[str, float] = {}
    means: list[dict[str, float]] = []
    for source in dict.fromkeys(examples.sources):
        rows = sources == source
        blocks = [(names, examples.targets[rows], scores[rows])]
        for place, scheme in enumerate(recipe.label_schemes):
            highest = scores[rows][:, list(recipe.columns[scheme])].max(axis=1, keepdims=True)
            blocks.append(([f"{scheme}.union"], examples.unions[rows][:, [place]], highest))
        found = [one for block in blocks if (one := _measured(*block)) is not None]
        for one in found:
            detail |= {f"roc_auc/{source}/{name}": _number(one.per_label[name]["roc_auc"]) for name in one.labels}
        # Unions count where no output could be measured.
        means += [{key: _number(one.overall[key]) for key in AVERAGES} for one in found[:1]]
    overall = {key: float(np.mean([one[key] for one in means])) for key in AVERAGES} if means else {}
    return overall | detail | _loss(examples.targets, logits)


def unmeasured(recipe: Recipe, examples: Examples) -> list[str]:
    """Returns the outputs that averages leave out, as no source has posts of both answers; none where all are so."""
    names, sources = output_names(recipe), np.array(examples.sources)
    found = {column for source in {*examples.sources} for column in _both(answers(examples.targets[sources == source]))}
    return [name for column, name in enumerate(names) if found and column not in found]


def chosen(recipe: Recipe, measures: dict[str, float]) -> float:
    """Returns the number that chooses the epoch; higher is better. NaN when nothing could be measured."""
    name = ALIASES.get(recipe.metric_for_best_model, recipe.metric_for_best_model)
    value = measures.get(name, float("nan"))
    return -value if name == "loss" else value


def output_names(recipe: Recipe) -> list[str]:
    """Returns a name for each output: the label, with its label scheme where there are several."""
    several = len(recipe.label_schemes) > 1
    names = [f"{scheme}.{label}" if several else label for scheme in recipe.label_schemes for label in recipe.labels]
    return [*names, *recipe.auxiliary]


def _measured(names: Sequence[str], targets: Floats, scores: NDArray[np.float64]) -> Evaluation | None:
    """Measures the outputs for which both answers are known, if there is one."""
    truth = answers(targets)
    kept = _both(truth)
    if not kept:
        return None
    return evaluate(Sample.build([names[column] for column in kept], truth[:, kept], scores[:, kept]), rounds=0)


def _both(truth: NDArray[np.float64]) -> list[int]:
    """Returns the columns of (n, outputs) in which both answers are known."""
    return [column for column, known in enumerate(truth.T) if {0.0, 1.0} <= set(known.tolist())]


def _number(estimate: Estimate) -> float:
    return float("nan") if estimate.value is None else estimate.value


def _loss(targets: Floats, logits: Floats) -> dict[str, float]:
    known = ~np.isnan(targets)
    if not known.any():
        return {}
    z, y = logits[known].astype(np.float64), targets[known]
    losses: NDArray[np.float64] = np.logaddexp(0, z) - y * z
    return {"loss": float(losses.mean())}
