#!/usr/bin/env python3
"""Fits the policy `default` of `compact` and the calibration of its attributes, and writes them into its bundle.

Usage: scripts/write_policies.py BUNDLE TABLES --version VERSION

All is fitted on held-out posts (the validation splits of the tables, LIMIT of each), which no weight was fitted to, as
the bundle scores them. `benchmark` stays as it was exported: cross-validated on MMHS150K.

`default` has one free number per band: the share of harmless held-out posts that a label may flag. It is the one with
the lowest cost at the stated prevalence, over posts known to be hateful or harmless; each set of posts counts alike.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from crossguard.bundle import write_manifest
from crossguard.decision.calibration import sigmoid
from crossguard.evaluation.leakage import sketch
from crossguard.labels import ATTRIBUTES
from crossguard.moderator import Moderator
from crossguard.records import Post

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# A moderator's look costs 1; what a missed hateful post and a wrongly held back post cost beside it.
HALF: Final = 0.5
PREVALENCE: Final = 0.01
DAY: Final = 1000
MISSED: Final = 60.0
# Of harmless memes; by the costs above hardly any meme would be looked at, as the scores of memes tell little.
MEME_BUDGET: Final = 0.05
# Labels that few memes carry score low on all; an ordinary caption beside an image must not reach their thresholds.
MEME_FLOOR: Final = 0.5
HELD_BACK: Final = 15.0
RATES: Final = np.array(
    [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06]
)
LIMIT: Final = 1000
LIMITS: Final = {"jigsaw": 2500, "short-texts": 2000}
SOURCES: Final = (
    "davidson",
    "edos",
    "tweeteval-hate",
    "hatemoji-build",
    "toxigen",
    "stormfront",
    "misogyny",
    "mlma",
    "olid",
    "jigsaw",
    "templates",
    "short-texts",
    "harmeme",
    "religious-memes",
)
MEMES: Final = ("harmeme", "religious-memes")
CONSENSUS: Final = "consensus"
LANGUAGES: Final = ("en",)


@dataclass(frozen=True, slots=True)
class Held:
    """n held-out posts.

    Attributes:
        strata: Groups within their tables.
        sources: Names of their tables.
        logits: (n, outputs).
        targets: (n, outputs) in [0, 1], NaN where unknown.
        hateful: (n,) in [0, 1], NaN where unknown.
    """

    strata: NDArray[np.str_]
    sources: NDArray[np.str_]
    logits: Floats
    targets: Floats
    hateful: Floats

    def take(self, rows: Bools) -> Held:
        """Returns these posts."""
        return Held(self.strata[rows], self.sources[rows], self.logits[rows], self.targets[rows], self.hateful[rows])


def read_held(moderator: Moderator, tables: Path) -> tuple[Held, dict[str, list[Post]]]:
    """Scores held-out posts; returns them, and the posts by source."""
    parts, posts = [], {}
    for source in SOURCES:
        rows = [row for row in pq.read_table(tables / f"{source}.parquet").to_pylist() if row["split"] == "val"]
        rows = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())[: LIMITS.get(source, LIMIT)]
        posts[source] = [_post(number, row, tables) for number, row in enumerate(rows)]
        logits = moderator.logits(posts[source])[0].values.astype(np.float64)
        targets = np.full(logits.shape, np.nan)
        names = (*moderator.labels.names, *ATTRIBUTES)
        columns = (
            *moderator.bundle.manifest.label_schemes[CONSENSUS],
            *range(logits.shape[1] - len(ATTRIBUTES), logits.shape[1]),
        )
        for name, column in zip(names, columns, strict=True):
            targets[:, column] = [_number(row.get(name)) for row in rows]
        strata, hateful = [row["stratum"] for row in rows], [_number(row["hateful"]) for row in rows]
        scored = ~np.isnan(logits).any(axis=1)
        parts.append(
            Held(np.array(strata), np.full(len(rows), source), logits, targets, np.array(hateful)).take(scored)
        )
    names = [field.name for field in fields(Held)]
    return Held(*(np.concatenate([getattr(part, name) for part in parts]) for name in names)), posts


def _post(number: int, row: dict[str, Any], tables: Path) -> Post:
    image = (tables / row["image_path"]).resolve() if row["image_path"] else None
    return Post(str(number), row["text"], image=image, image_text=row["image_text"])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def platt(logits: Floats, targets: Floats, balance: float | None = None) -> dict[str, Any]:
    """Fits Platt's sigmoid; with `balance`, as if that share of the posts were positive."""
    known = ~np.isnan(targets)
    truth = targets[known] > HALF
    if truth.sum() < 20 or (~truth).sum() < 20:  # noqa: PLR2004 too few to fit two numbers
        return {"kind": "none"}
    weights = np.ones(len(truth))
    if balance is not None:
        weights = np.where(truth, balance / truth.mean(), (1 - balance) / (1 - truth.mean()))
    model = LogisticRegression(C=100.0).fit(logits[known, None], truth, sample_weight=weights)
    return {"kind": "platt", "scale": float(model.coef_[0, 0]), "shift": float(model.intercept_[0])}


def scores(rules: Sequence[Mapping[str, Any]], logits: Floats) -> Floats:
    """Returns calibrated probabilities, (n, labels)."""
    return np.stack(
        [
            sigmoid(column * rule["scale"] + rule["shift"]) if rule["kind"] == "platt" else sigmoid(column)
            for rule, column in zip(rules, logits.T, strict=True)
        ],
        axis=1,
    )


def source_weights(sources: NDArray[np.str_]) -> Floats:
    """Weighs posts so that each source counts alike, (n,), with sum 1."""
    names, places, counts = np.unique(sources, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (len(names) * counts[places]))


def quantile(values: Floats, weights: Floats, rate: float) -> float:
    """Returns the value that a share `rate` of the weight lies above."""
    order = np.argsort(-values)
    above = np.cumsum(weights[order])
    place = min(int(np.searchsorted(above, rate * above[-1])), len(order) - 1)
    return float(values[order][place]) + 1e-6


def thresholds(own: Floats, harmless: Bools, weights: Floats, rate: float) -> Floats:
    """Returns per label the score that a share `rate` of the harmless posts exceeds."""
    columns = own[harmless].T
    return np.array([quantile(column, weights[harmless] / weights[harmless].sum(), rate) for column in columns])


def cost(
    own: Floats, limits: Floats, hateful: Floats, sources: NDArray[np.str_], *, alarm: float, miss: float
) -> float:
    """Returns the cost per post at PREVALENCE of flagging what exceeds any limit."""
    missed, wrong = errors(own, limits, hateful, sources)
    return PREVALENCE * miss * missed + (1 - PREVALENCE) * alarm * wrong


def errors(own: Floats, limits: Floats, hateful: Floats, sources: NDArray[np.str_]) -> tuple[float, float]:
    """Returns which share of the hateful posts is not flagged, and which of the harmless ones is."""
    flagged = (own >= limits).any(axis=1)
    rates = []
    for truth in (True, False):
        rows = hateful == float(truth)
        weights = source_weights(sources[rows])
        rates.append(float((weights * (flagged[rows] != truth)).sum()))
    return rates[0], rates[1]


def day(own: Floats, limits: Floats, held: Held) -> str:
    """Says what a moderator sees of DAY posts at PREVALENCE."""
    known = np.isin(held.hateful, (0.0, 1.0))
    missed, wrong = errors(own[known], limits, held.hateful[known], held.sources[known])
    hateful = DAY * PREVALENCE
    found, alarms = hateful * (1 - missed), (DAY - hateful) * wrong
    return (
        f"Of {DAY:,} posts a day of which {hateful:.0f} are hateful, about {found + alarms:.0f} come to review, "
        f"{found:.0f} of them hateful."
    )


def bands(own: Floats, held: Held) -> tuple[Floats, Floats, dict[str, float]]:
    """Returns the thresholds of `review` and of `block` per label, and the shares that gave them."""
    known = np.isin(held.hateful, (0.0, 1.0))
    own, hateful, sources = own[known], held.hateful[known], held.sources[known]
    harmless = hateful == 0
    weights = np.zeros(len(own))
    weights[harmless] = source_weights(sources[harmless])
    found, rates = [], {}
    for band, alarm in (("review", 1.0), ("block", HELD_BACK)):
        tried = [thresholds(own, harmless, weights, rate) for rate in RATES]
        costs = [cost(own, limits, hateful, sources, alarm=alarm, miss=MISSED) for limits in tried]
        best = int(np.argmin(costs))
        found.append(tried[best])
        rates[band] = float(RATES[best])
    return found[0], np.maximum(found[0], found[1]), rates


def within_budget(own: Floats, held: Held, floor: Floats) -> tuple[Floats, dict[str, float]]:
    """Returns the lowest thresholds that flag no more than MEME_BUDGET of the harmless posts, and their share."""
    harmless = held.hateful == 0
    weights = np.where(harmless, 1.0, 0.0)
    tried = [(float(rate), np.maximum(thresholds(own, harmless, weights, rate), floor)) for rate in RATES]
    fitting = [(rate, limits) for rate, limits in tried if (own[harmless] >= limits).any(axis=1).mean() <= MEME_BUDGET]
    rate, limits = fitting[-1]
    return limits, {"review": rate}


def default_policy(held: Held, columns: Sequence[int], labels: Sequence[str]) -> dict[str, Any]:
    """Fits calibrations and bands, for text alone and for memes."""
    own = held.logits[:, list(columns)]
    rules = [platt(own[:, k], held.targets[:, column]) for k, column in enumerate(columns)]
    calibrated = scores(rules, own)
    memes = np.isin(held.sources, MEMES)
    review, block, rates = bands(calibrated[~memes], held.take(~memes))
    inputs, meme_rates = {}, {}
    if memes.any():
        meme_review, meme_rates = within_budget(calibrated[memes], held.take(memes), MEME_FLOOR * review)
        meme_block = np.maximum(meme_review, block)
        inputs["both"] = {
            name: {"threshold": low, "block": high}
            for name, low, high in zip(labels, meme_review.tolist(), meme_block.tolist(), strict=True)
        }
        # An image without words is as little evidence as any: it takes the stricter threshold of both kinds.
        inputs["image"] = {
            name: {"threshold": max(low, floor), "block": high}
            for name, low, floor, high in zip(
                labels, meme_review.tolist(), review.tolist(), meme_block.tolist(), strict=True
            )
        }
    text = ", ".join(f"{band} {rate:.2%}" for band, rate in rates.items())
    meme_text = ", ".join(f"{band} {rate:.2%}" for band, rate in meme_rates.items())
    return {
        "description": (
            f"Lowest cost at a prevalence of {PREVALENCE:.0%}, where a look of a moderator costs 1, a missed hateful "
            f"post {MISSED:g} and a harmless post that is held back {HELD_BACK:g}, on {len(own)} posts that the model "
            f"was not trained on; for memes, no more than {MEME_BUDGET:.0%} of the harmless ones flagged. Share of "
            f"harmless posts that a label flags: text {text}; memes {meme_text}. "
            f"{day(calibrated[~memes], review, held.take(~memes))}"
        ),
        "labels": {
            name: {"threshold": low, "block": high, "calibration": rule}
            for name, low, high, rule in zip(labels, review.tolist(), block.tolist(), rules, strict=True)
        },
        "inputs": inputs,
        "costs": {"false_positive": 1.0, "false_negative": MISSED, "wrong_block": HELD_BACK},
    }


def attributes(held: Held, first: int) -> dict[str, Any]:
    """Fits the attributes' calibration on held-out Wikipedia comments, at the prevalence before they were thinned."""
    jigsaw = held.take(held.sources == "jigsaw")
    natural = np.char.endswith(jigsaw.strata, "-natural")
    entries = {}
    for column, name in enumerate(ATTRIBUTES, start=first):
        share = float(np.nanmean(jigsaw.targets[natural, column]))
        calibration = platt(jigsaw.logits[:, column], jigsaw.targets[:, column], share)
        entries[name] = {"column": column, "calibration": calibration, "prevalence": None}
    return entries


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    moderator = Moderator.load(options.bundle)
    bundle = moderator.bundle
    manifest = bundle.manifest.model_dump(mode="json", exclude={"files"})
    held, posts = read_held(moderator, options.tables)
    default = default_policy(held, bundle.manifest.label_schemes[CONSENSUS], bundle.labels.names)
    what = "thresholds and calibration"
    fitted = [{"name": name, "what": what, "sketch": sketch(own)} for name, own in posts.items()]
    manifest["policies"]["default"] = default | {
        "name": "default",
        "version": options.version,
        "label_scheme": CONSENSUS,
        "provenance": {"fitted_on": fitted},
    }
    manifest["policies"]["benchmark"]["version"] = options.version
    manifest["attributes"] = attributes(held, held.logits.shape[1] - len(ATTRIBUTES))
    manifest["provenance"] = bundle.provenance()
    manifest["languages"] = LANGUAGES
    write_manifest(options.bundle, manifest)
    print(default["description"])


if __name__ == "__main__":
    main()
