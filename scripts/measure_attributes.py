#!/usr/bin/env python3
"""Measures the attributes of a model on the posts of a table.

ROC-AUC with a 95 % interval, calibration, the score that one post of a hundred reaches, and, of a thousand such posts,
how many reach a threshold, how many of these have the attribute, and how many that have it do not reach it.

Usage: scripts/measure_attributes.py MODEL TABLE [--split val] [--stratum-ends natural] [--limit N]

An attribute counts as present from a share of one half of the annotators on. Intervals are bootstrap percentiles.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from crossguard.moderator import Moderator
from crossguard.records import Post

HALF: Final = 0.5
ROUNDS: Final = 300
BINS: Final = 10
THRESHOLDS: Final = (0.5, 0.7, 0.9)

Floats = NDArray[np.float64]


def measure(scores: Floats, truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Returns ROC-AUC with its interval, prevalence, and expected calibration error over ten bins of like size."""
    random = np.random.default_rng(0)
    draws = random.integers(len(truth), size=(ROUNDS, len(truth)))
    values = [roc_auc_score(truth[draw], scores[draw]) for draw in draws if 0 < truth[draw].sum() < len(draw)]
    bins = np.array_split(np.argsort(scores), BINS)
    error = sum(len(rows) * abs(float(scores[rows].mean() - truth[rows].mean())) for rows in bins) / len(truth)
    return {
        "roc_auc": round(float(roc_auc_score(truth, scores)), 4),
        "interval": [round(float(value), 4) for value in np.quantile(values, (0.025, 0.975))],
        "posts": len(truth),
        "positive": int(truth.sum()),
        "ece": round(error, 4),
        "top_percent_from": round(float(np.quantile(scores, 0.99)), 3),
        "of_a_thousand": {threshold: _of_a_thousand(scores >= threshold, truth) for threshold in THRESHOLDS},
    }


def _of_a_thousand(reached: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    parts = {"reached": reached, "rightly": reached & truth, "missed": ~reached & truth}
    return {name: round(1000 * float(part.mean()), 1) for name, part in parts.items()}


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("table", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--stratum-ends", default="", help="only strata that end so")
    parser.add_argument("--limit", type=int, help="of posts, the first ones")
    options = parser.parse_args()
    rows = [
        row
        for row in pq.read_table(options.table).to_pylist()
        if row["split"] == options.split and row["stratum"].endswith(options.stratum_ends)
    ][: options.limit]
    moderator = Moderator.load(options.model)
    posts = [Post(str(number), row["text"], image_text=row["image_text"]) for number, row in enumerate(rows)]
    logits = moderator.logits(posts)[0].values.astype(np.float64)
    scored = ~np.isnan(logits).any(axis=1)  # blank posts are not
    found = {}
    for name, attribute in moderator.bundle.manifest.attributes.items():
        known = np.array([row.get(name) is not None for row in rows]) & scored
        truth = np.array([(row.get(name) or 0) >= HALF for row in rows])[known]
        if truth.any() and not truth.all():
            scores = attribute.score(logits[known][:, attribute.column])
            found[name] = measure(scores, truth)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
