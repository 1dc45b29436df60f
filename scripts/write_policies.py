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
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from crossguard.bundle import write_manifest
from crossguard.decision.calibration import Calibrator, Identity, Platt
from crossguard.evaluation.leakage import sketch
from crossguard.labels import ATTRIBUTES
from crossguard.moderator import Moderator
from crossguard.records import Post

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HALF: Final = 0.5
PREVALENCE: Final = 0.01
DAY: Final = 1000
# A moderator's look costs 1; what a missed hateful post and a wrongly held back post cost beside it.
MISSED: Final = 60.0
HELD_BACK: Final = 15.0
# Of harmless memes; by the costs above hardly any meme would be looked at, as the scores of memes tell little.
MEME_BUDGET: Final = 0.05
# Labels that few memes carry score low on all; an ordinary caption beside an image must not reach their thresholds.
MEME_FLOOR: Final = 0.5
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


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the policy is written from; lists have an entry per label.

    Attributes:
        posts: How many it was fitted on.
        rules: Calibrations.
        review: Thresholds of text alone.
        block: The same, from which a post is held back; for memes too.
        meme_review: Thresholds of memes.
        rates: Share of harmless posts that a label flags, by band, text alone.
        meme_rates: The same, of memes.
        come: Of DAY posts, those that come to review.
        hateful: Those among them that are hateful.
    """

    posts: int
    rules: Sequence[Calibrator]
    review: list[float]
    block: list[float]
    meme_review: list[float]
    rates: dict[str, float]
    meme_rates: dict[str, float]
    come: float
    hateful: float


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
        scored = np.asarray(~np.isnan(logits).any(axis=1))
        parts.append(
            Held(np.array(strata), np.full(len(rows), source), logits, targets, np.array(hateful)).take(scored)
        )
    arrays = [field.name for field in fields(Held)]
    return Held(*(np.concatenate([getattr(part, name) for part in parts]) for name in arrays)), posts


def _post(number: int, row: dict[str, Any], tables: Path) -> Post:
    image = (tables / row["image_path"]).resolve() if row["image_path"] else None
    return Post(str(number), row["text"], image=image, image_text=row["image_text"])


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def platt(logits: Floats, targets: Floats, balance: float | None = None) -> Identity | Platt:
    """Fits Platt's sigmoid; with `balance`, as if that share of the posts were positive."""
    known = ~np.isnan(targets)
    truth = targets[known] > HALF
    if truth.sum() < 20 or (~truth).sum() < 20:  # noqa: PLR2004 too few to fit two numbers
        return Identity()
    weights = np.ones(len(truth))
    if balance is not None:
        weights = np.where(truth, balance / truth.mean(), (1 - balance) / (1 - truth.mean()))
    model = LogisticRegression(C=100.0).fit(logits[known, None], truth, sample_weight=weights)
    return Platt(scale=float(model.coef_[0, 0]), shift=float(model.intercept_[0]))


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
    flagged = np.asarray((own >= limits).any(axis=1))
    rates = []
    for truth in (True, False):
        rows = hateful == float(truth)
        weights = source_weights(sources[rows])
        rates.append(float((weights * (flagged[rows] != truth)).sum()))
    return rates[0], rates[1]


def of_a_day(own: Floats, limits: Floats, held: Held) -> tuple[float, float]:
    """Returns how many of DAY posts at PREVALENCE come to review, and how many of those are hateful."""
    known = np.isin(held.hateful, (0.0, 1.0))
    missed, wrong = errors(own[known], limits, held.hateful[known], held.sources[known])
    hateful = DAY * PREVALENCE
    found, alarms = hateful * (1 - missed), (DAY - hateful) * wrong
    return found + alarms, found


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


def fit(held: Held, columns: Sequence[int]) -> Fitted:
    """Fits calibrations and bands, for text alone and for memes."""
    own = held.logits[:, list(columns)]
    rules = [platt(own[:, k], held.targets[:, column]) for k, column in enumerate(columns)]
    calibrated = np.stack([rule.apply(column) for rule, column in zip(rules, own.T, strict=True)], axis=1)
    memes = np.isin(held.sources, MEMES)
    review, block, rates = bands(calibrated[~memes], held.take(~memes))
    meme_review, meme_rates = within_budget(calibrated[memes], held.take(memes), MEME_FLOOR * review)
    come, hateful = of_a_day(calibrated[~memes], review, held.take(~memes))
    return Fitted(
        len(own), rules, review.tolist(), block.tolist(), meme_review.tolist(), rates, meme_rates, come, hateful
    )


def default_policy(fitted: Fitted, labels: Sequence[str]) -> dict[str, Any]:
    """Returns the policy as the manifest has it, without name, version and label scheme."""
    text, memes = (
        ", ".join(f"{band} {rate:.2%}" for band, rate in rates.items()) for rates in (fitted.rates, fitted.meme_rates)
    )
    return {
        "description": (
            f"Lowest cost at a prevalence of {PREVALENCE:.0%}, where a look of a moderator costs 1, a missed hateful "
            f"post {MISSED:g} and a harmless post that is held back {HELD_BACK:g}, on {fitted.posts} posts that the "
            f"model was not trained on; for memes, no more than {MEME_BUDGET:.0%} of the harmless ones flagged. Share "
            f"of harmless posts that a label flags: text {text}; memes {memes}. "
            f"Of {DAY:,} posts a day of which {DAY * PREVALENCE:.0f} are hateful, about {fitted.come:.0f} come to "
            f"review, {fitted.hateful:.0f} of them hateful."
        ),
        "labels": {
            name: {"threshold": low, "block": high, "calibration": rule.model_dump()}
            for name, low, high, rule in zip(labels, fitted.review, fitted.block, fitted.rules, strict=True)
        },
        "inputs": {
            "both": _bands_of(labels, fitted.meme_review, fitted.block),
            # An image without words is as little evidence as any: it takes the stricter threshold of both kinds.
            "image": _bands_of(labels, list(map(max, fitted.meme_review, fitted.review)), fitted.block),
        },
        "costs": {"false_positive": 1.0, "false_negative": MISSED, "wrong_block": HELD_BACK},
    }


def _bands_of(labels: Sequence[str], review: Sequence[float], block: Sequence[float]) -> dict[str, dict[str, float]]:
    """Returns the bands of memes per label; nothing is blocked before it is reviewed."""
    return {
        name: {"threshold": low, "block": max(low, high)} for name, low, high in zip(labels, review, block, strict=True)
    }


def attributes(held: Held, first: int) -> dict[str, Any]:
    """Fits the attributes' calibration on held-out Wikipedia comments, at the prevalence before they were thinned."""
    jigsaw = held.take(held.sources == "jigsaw")
    natural = np.char.endswith(jigsaw.strata, "-natural")
    entries = {}
    for column, name in enumerate(ATTRIBUTES, start=first):
        share = float(np.nanmean(jigsaw.targets[natural, column]))
        calibration = platt(jigsaw.logits[:, column], jigsaw.targets[:, column], share)
        entries[name] = {"column": column, "calibration": calibration.model_dump(), "prevalence": None}
    return entries


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of the bundle, which is changed")
    parser.add_argument("tables", type=Path, help="folder of the tables that scripts/make-compact prepares")
    parser.add_argument("--version", required=True, help="of both policies")
    options = parser.parse_args()
    moderator = Moderator.load(options.bundle)
    bundle = moderator.bundle
    manifest = bundle.manifest.model_dump(mode="json")
    held, posts = read_held(moderator, options.tables)
    default = default_policy(fit(held, bundle.manifest.label_schemes[CONSENSUS]), bundle.labels.names)
    what = "thresholds and calibration"
    fitted = [{"name": name, "what": what, "sketch": sketch(own)} for name, own in posts.items()]
    manifest["policies"]["default"] = default | {
        "name": "default",
        "version": options.version,
        "label_scheme": CONSENSUS,
        "provenance": {"fitted_on": fitted},
    }
    manifest["policies"]["benchmark"] |= {
        "version": options.version,
        "provenance": bundle.policy_provenance(bundle.manifest.policies["benchmark"]),
    }
    manifest["attributes"] = attributes(held, held.logits.shape[1] - len(ATTRIBUTES))
    manifest["provenance"] = bundle.provenance()
    manifest["languages"] = LANGUAGES
    write_manifest(options.bundle, manifest)
    print(default["description"])


if __name__ == "__main__":
    main()
