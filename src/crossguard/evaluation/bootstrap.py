"""Bootstrap: every metric on a thousand resamples of the posts in seconds.

A resample is a row of counts (how often each post was drawn). Scores are sorted once; counts are then summed along the
sorted order, so that a round costs a few passes over the posts and no sort. Results equal scikit-learn's with
`sample_weight` set to the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.estimates import Estimate, number
from crossguard.evaluation.metrics import BINS, FALSE_POSITIVE_RATES, METRICS, ROUNDING, bin_of, exact, rate_key
from crossguard.evaluation.sample import Sample, Task, pool

Counts: TypeAlias = NDArray[np.int32]
Rounds: TypeAlias = NDArray[np.float64]

# Rounds at a time: the running sums of a chunk should stay in the processor's cache, and in memory with many posts.
CHUNK = 16
CHUNK_POSTS = 400_000


def draw(posts: int, rounds: int, seed: int) -> Iterator[Counts]:
    """Yields counts of resamples with replacement, (up to CHUNK, posts) at a time; the same for the same seed."""
    generator = np.random.default_rng(seed)
    most = max(1, min(CHUNK, CHUNK_POSTS // max(posts, 1)))
    for start in range(0, rounds, most):
        size = min(most, rounds - start)
        picks = generator.integers(posts, size=(size, posts))
        yield np.stack([np.bincount(row, minlength=posts) for row in picks]).astype(np.int32)


def resample(
    sample: Sample, rounds: int = 1000, seed: int = 0
) -> tuple[dict[str, Rounds], dict[str, dict[str, Rounds]]]:
    """Computes every metric on bootstrap resamples of the posts.

    Returns:
        Averages by key as `metrics.averages` names them, and per label (and `any`) by metric; arrays of shape
        (rounds,), NaN where a metric is undefined in a round.
    """
    engine = engine_for(sample)
    chunks = [engine(counts) for counts in draw(len(sample), rounds, seed)]
    overall = {key: np.concatenate([chunk[0][key] for chunk in chunks]) for key in chunks[0][0]}
    per_label = {
        name: {key: np.concatenate([chunk[1][name][key] for chunk in chunks]) for key in estimates}
        for name, estimates in chunks[0][1].items()
    }
    return overall, per_label


def at_prevalence(task: Task, target: float | None, rounds: int = 0, seed: int = 0) -> dict[str, Estimate]:
    """Returns precision, recall and F1 of a task where the share `target` of posts is positive, with intervals.

    Recall and false-positive rate do not change with the prevalence; precision and F1 follow from them.

    Args:
        task: Flags and known answers.
        target: Prevalence in (0, 1); the task's own when None.
        rounds: Bootstrap resamples; 0 for no intervals.
        seed: Of the resamples.
    """
    columns = np.column_stack([task.flags & task.truth, task.truth, task.flags & ~task.truth, ~task.truth])

    def compute(counts: Counts) -> dict[str, Rounds]:
        hits, yes, alarms, no = (counts @ columns.astype(np.float64)).T
        share = _ratio(yes, yes + no) if target is None else np.full(len(counts), target)
        recall, wrong = _ratio(hits, yes), _ratio(alarms, no)
        found, flagged = share * recall, share * recall + (1 - share) * wrong
        return {"precision": _ratio(found, flagged), "recall": recall, "f1": _ratio(2 * found, flagged + share)}

    points = compute(np.ones((1, len(task)), dtype=np.int32))
    why = {"precision": "nothing was flagged", "recall": "no positive post", "f1": "no positive post"}
    estimates = {key: number(float(value[0]), why[key]) for key, value in points.items()}
    if not rounds:
        return estimates
    drawn = [compute(counts) for counts in draw(len(task), rounds, seed)]
    return {
        key: estimate.with_rounds(np.concatenate([one[key] for one in drawn])) for key, estimate in estimates.items()
    }


def engine_for(sample: Sample) -> Callable[[Counts], tuple[dict[str, Rounds], dict[str, dict[str, Rounds]]]]:
    """Sorts once, and returns the function from counts, (rounds, posts), to the two tables of `resample`."""
    tasks = sample.tasks()
    ranked = {task.name: Ranked(task) for task in (*tasks, sample.task("any"))}
    pooled = Ranked(pool(tasks)) if tasks else None
    complete, correct = sample.complete(), exact(sample)

    def compute(counts: Counts) -> tuple[dict[str, Rounds], dict[str, dict[str, Rounds]]]:
        per_label = {name: one(counts) for name, one in ranked.items()}
        whole = _averages([task.name for task in tasks], per_label, pooled(counts) if pooled else {})
        whole["subset_accuracy"] = _ratio(counts[:, complete & correct].sum(axis=1), counts[:, complete].sum(axis=1))
        return whole, per_label

    return compute


class Ranked:
    """One task, sorted by falling score, ready for many rounds."""

    def __init__(self, task: Task) -> None:
        order = np.argsort(-task.scores, kind="stable")
        scores = task.scores[order]
        self._rows = task.rows[order]
        self._truth = task.truth[order].astype(np.int32)
        ends = np.flatnonzero(np.append(np.diff(scores) != 0, True)) if len(scores) else np.empty(0, dtype=np.int64)
        self._starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
        truth, flags = task.truth[order], task.flags[order]
        gap = scores - truth
        # Columns of sums that thresholds and calibration need: one matrix product gives them for all rounds.
        surprise = -np.log(np.maximum(np.where(truth, scores, 1 - scores), np.finfo(np.float64).eps))
        self._sums = np.column_stack([flags & truth, flags & ~truth, gap**2, surprise]).astype(np.float64)
        self._gap = gap
        # Sorted scores fall into their calibration bins one after the other.
        self._bins = np.flatnonzero(np.diff(bin_of(scores), prepend=-1))

    def __call__(self, counts: Counts) -> dict[str, Rounds]:
        """Returns every metric by name, (rounds,), for counts of shape (rounds, posts)."""
        drawn = counts[:, self._rows]
        positive, negative = drawn * self._truth, drawn * (1 - self._truth)
        total, yes = drawn.sum(axis=1).astype(np.float64), positive.sum(axis=1).astype(np.float64)
        wide = drawn.astype(np.float64)
        hits, alarms, squares, surprise = (wide @ self._sums).T
        result = {
            "support": yes,
            "precision": _ratio(hits, hits + alarms),
            "recall": _ratio(hits, yes),
            "f1": np.where(yes > 0, _ratio(2 * hits, hits + alarms + yes), np.nan),
            "false_positive_rate": _ratio(alarms, total - yes),
            "balanced_accuracy": (_ratio(hits, yes) + 1 - _ratio(alarms, total - yes)) / 2,
            "brier": _ratio(squares, total),
            "log_loss": _ratio(surprise, total),
            "ece": np.where(total >= BINS, _ratio(self._miscalibration(wide), total), np.nan),
        }
        return result | self._ranking(positive, negative, yes, total - yes)

    def _miscalibration(self, wide: Rounds) -> Rounds:
        """Sum over bins of the distance between summed scores and summed outcomes, (rounds,)."""
        if not len(self._bins):
            return np.zeros(len(wide))
        sums = np.add.reduceat(wide * self._gap, self._bins, axis=1)
        return np.asarray(np.abs(sums).sum(axis=1))

    def _ranking(self, positive: Counts, negative: Counts, yes: Rounds, no: Rounds) -> dict[str, Rounds]:
        if len(self._starts) < len(self._truth):
            positive = np.add.reduceat(positive, self._starts, axis=1)
            negative = np.add.reduceat(negative, self._starts, axis=1)
        hits, alarms = np.cumsum(positive, axis=1, dtype=np.int32), np.cumsum(negative, axis=1, dtype=np.int32)
        above = np.einsum("rg,rg->r", negative.astype(np.float64), hits - 0.5 * positive)
        precision = hits / np.maximum(hits + alarms, 1)
        result = {
            "roc_auc": _ratio(above, yes * no),
            "average_precision": _ratio(np.einsum("rg,rg->r", positive, precision), yes),
        }
        padded = np.concatenate([np.zeros((len(hits), 1), dtype=np.int32), hits], axis=1)
        for rate in FALSE_POSITIVE_RATES:
            allowed = (alarms <= (rate + ROUNDING) * no[:, None]).sum(axis=1)
            reached = padded[np.arange(len(hits)), allowed]
            result[rate_key(rate)] = np.where(no > 0, _ratio(reached, yes), np.nan)
        return result


def _averages(
    names: Sequence[str], per_label: dict[str, dict[str, Rounds]], pooled: dict[str, Rounds]
) -> dict[str, Rounds]:
    result: dict[str, Rounds] = {}
    if not names:
        return result
    support = np.stack([per_label[name]["support"] for name in names])
    for metric in METRICS.values():
        table = np.stack([per_label[name][metric.name] for name in names])
        for average in metric.averages:
            if average == "micro":
                values = pooled[metric.name]
            elif average == "weighted":
                values = _ratio(np.where(support > 0, table * support, 0.0).sum(axis=0), support.sum(axis=0))
            else:
                values = table.mean(axis=0)
            result[f"{metric.name}_{average}"] = values
    return result


def _ratio(top: NDArray[np.generic], bottom: NDArray[np.generic]) -> Rounds:
    """Divides; NaN where the bottom is 0."""
    above, below = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    result: Rounds = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
    return result
