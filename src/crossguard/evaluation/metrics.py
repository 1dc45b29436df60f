"""Metrics of one yes/no question, for one measurement and for a thousand resamples of its posts at once.

Training, evaluation, audits and the export gate all measure with these. A resample is a row of counts: how often each
post was drawn. Scores are sorted once; counts are then summed along the sorted order, so that a round costs a few
passes over the posts and no sort. Results equal scikit-learn's with `sample_weight` set to the counts, which a property
test checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crossguard.errors import number_of
from crossguard.evaluation.estimates import Estimate, number
from crossguard.evaluation.sample import LabelTask

Counts: TypeAlias = NDArray[np.int32]
Rounds: TypeAlias = NDArray[np.float64]

# Expected calibration error over 15 bins of equal width, as Guo et al. 2017 report it.
BINS = 15
# Share of harmless posts that a moderator is willing to see flagged by mistake.
FALSE_POSITIVE_RATES = (0.01, 0.05, 0.1)
# 7 of 140 is 0.05, whichever way a processor rounds the division.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one yes/no question."""

    name: str  # key in every report
    needs: tuple[str, ...]  # what must be there: `positive`, `negative`, `flagged`, `bins`
    averages: tuple[str, ...]  # which averages over labels are reported
    meaning: str  # one line for a reader of the report

    def missing(self, task: LabelTask) -> str:
        """Returns why the metric is undefined on a task; empty where it is defined."""
        return next((reason for need in ("post", *self.needs) if (reason := _MISSING[need](task))), "")


class _Strays:
    """Posts that rank as no better than by chance: a hateful one amid the harmless ones, and vice versa.

    Of few posts, few or none rank so, and no resample has more of them: ranking and calibration would seem too certain.
    One in the middle leaves about as much possible as the interval of R. G. Newcombe (2006, method 5) of an AUC.
    """

    def __init__(self, ranks: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> None:
        """Takes posts by falling rank, (m,) each."""
        hateful, harmless = ranks[truth], ranks[~truth]
        both = len(hateful) > 0 and len(harmless) > 0
        above = not both or bool(hateful[-1] > harmless[0])  # also where one kind is all there is
        others = (scores[~truth], scores[truth])
        amid = np.array([found[len(found) // 2] if len(found) else np.nan for found in others])
        # Of a hateful and a harmless stray, (2,): score minus truth, log loss, bin; 0 without posts of the other kind
        self.gaps = np.nan_to_num(amid - (1, 0))
        self.surprise = _surprise(np.nan_to_num(np.abs(amid - (0, 1)), nan=1.0))
        self.bins = bin_of(np.nan_to_num(amid))
        self._in_ranks = ~np.isnan(amid)[:, None]
        self._in_scores = self._in_ranks & above

    def in_ranks(self, unseen: Rounds) -> Rounds:
        """Returns how many hateful and harmless ones the AUC counts, (2, rounds)."""
        return np.asarray(unseen[1:3] * self._in_ranks)

    def in_scores(self, unseen: Rounds) -> Rounds:
        """Returns how many of both other metrics count, (2, rounds): none where a harmless post is above others."""
        return np.asarray(unseen[1:3] * self._in_scores)


class Ranked:
    """One task, sorted by falling rank, ready for many rounds."""

    def __init__(self, task: LabelTask) -> None:
        order = np.argsort(-task.ranks, kind="stable")
        ranks, scores, truth, flags = task.ranks[order], task.scores[order], task.truth[order], task.flags[order]
        self._rows = task.rows[order]
        self._truth = truth.astype(np.int32)
        ends = np.flatnonzero(np.append(np.diff(ranks) != 0, True)) if len(ranks) else np.empty(0, dtype=np.int64)
        self._starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
        kinds = (flags & truth, ~flags & truth, flags & ~truth, ~flags & ~truth)
        self._absent = np.array([not kind.any() for kind in kinds])[:, None]
        hateful, harmless = ranks[truth], ranks[~truth]
        # How many harmless posts rank no lower than the first and the last hateful one: none, or all, may be reached
        self._before = [int((harmless >= end).sum()) for end in (hateful[0], hateful[-1])] if len(hateful) else [0, 0]
        self._strays = _Strays(ranks, scores, truth)
        gap = scores - truth
        # Columns of sums that thresholds and calibration need: one matrix product gives them for all rounds.
        surprise = _surprise(np.where(truth, scores, 1 - scores))
        self._sums = np.column_stack([flags & truth, flags & ~truth, gap**2, surprise]).astype(np.float64)
        # Sorted scores fall into their calibration bins one after the other; ranks may be those before a cross-fit.
        self._by_score = None if (np.diff(scores) <= 0).all() else np.argsort(-scores, kind="stable")
        in_turn = slice(None) if self._by_score is None else self._by_score
        self._gap = gap[in_turn]
        bins = bin_of(scores[in_turn])
        self._bins = np.flatnonzero(np.diff(bins, prepend=-1))
        self._filled = bins[self._bins]

    def __call__(self, counts: Counts, unseen: Rounds | None = None) -> dict[str, Rounds]:
        """Returns every metric by name, (rounds,), for counts of shape (rounds, posts); NaN where it is undefined.

        `unseen`, (4, rounds), are numbers of hateful posts that are found and missed, and of harmless ones that are
        flagged and passed: each counts where there is no post of its kind, and so none in any resample. Those that are
        missed and flagged count in the AUC, and in all metrics where no harmless post is above a hateful one.
        """
        drawn = counts[:, self._rows]
        positive, negative = drawn * self._truth, drawn * (1 - self._truth)
        total, yes = drawn.sum(axis=1).astype(np.float64), positive.sum(axis=1).astype(np.float64)
        wide = drawn.astype(np.float64)
        hits, alarms, squares, surprise = (wide @ self._sums).T
        more = np.zeros((4, len(counts))) if unseen is None else unseen
        found, missed, flagged, passed = more * self._absent
        hits, alarms = hits + found, alarms + flagged
        hateful = yes + found + missed
        recall, wrong = ratio(hits, hateful), ratio(alarms, total - yes + flagged + passed)
        strays = self._strays.in_scores(more)
        scored = total + strays.sum(axis=0)
        result = {
            "support": yes,
            "precision": ratio(hits, hits + alarms),
            "recall": recall,
            "f1": np.where(hateful > 0, ratio(2 * hits, hits + alarms + hateful), np.nan),
            "false_positive_rate": wrong,
            "balanced_accuracy": (recall + 1 - wrong) / 2,
            "brier": ratio(squares + self._strays.gaps**2 @ strays, scored),
            "log_loss": ratio(surprise + self._strays.surprise @ strays, scored),
            "ece": np.where(total >= BINS, ratio(self._miscalibration(wide, strays), scored), np.nan),
        }
        return result | self._ranking(positive, negative, (yes, total - yes), more)

    def _miscalibration(self, wide: Rounds, strays: Rounds) -> Rounds:
        """Sum over bins of the distance between summed scores and summed outcomes, (rounds,)."""
        if not len(self._bins):
            return np.zeros(len(wide))
        if self._by_score is not None:
            wide = wide[:, self._by_score]
        sums = np.add.reduceat(wide * self._gap, self._bins, axis=1)
        for place, gap, times in zip(self._strays.bins, self._strays.gaps, strays, strict=True):
            sums[:, self._filled == place] += (times * gap)[:, None]
        return np.asarray(np.abs(sums).sum(axis=1))

    def _ranking(
        self, positive: Counts, negative: Counts, sizes: tuple[Rounds, Rounds], unseen: Rounds
    ) -> dict[str, Rounds]:
        yes, no = sizes
        if len(self._starts) < len(self._truth):
            positive = np.add.reduceat(positive, self._starts, axis=1)
            negative = np.add.reduceat(negative, self._starts, axis=1)
        hits, alarms = np.cumsum(positive, axis=1, dtype=np.int32), np.cumsum(negative, axis=1, dtype=np.int32)
        above = np.einsum("rg,rg->r", negative.astype(np.float64), hits - 0.5 * positive)
        low, high = self._strays.in_ranks(unseen)
        above += 0.5 * (low * (no + high) + yes * high)
        result = {"roc_auc": np.where(yes * no > 0, ratio(above, (yes + low) * (no + high)), np.nan)}
        low, high = self._strays.in_scores(unseen)
        wrong = alarms + high[:, None] * (hits > 0.5 * yes[:, None]) if high.any() else alarms
        precise = np.einsum("rg,rg->r", positive, hits / np.maximum(hits + wrong, 1))
        precise += low * ratio(yes + low, yes + low + 0.5 * no + high)
        result["average_precision"] = np.where(yes > 0, ratio(precise, yes + low), np.nan)
        padded = np.concatenate([np.zeros((len(hits), 1), dtype=np.int32), hits], axis=1)
        for rate in FALSE_POSITIVE_RATES:
            allowed = (alarms <= (rate + ROUNDING) * no[:, None]).sum(axis=1)
            reached = padded[np.arange(len(hits)), allowed]
            most = (rate + ROUNDING) * (self._truth == 0).sum()
            found, missed = unseen[0] * (self._before[0] > most), unseen[1] * (self._before[1] <= most)
            result[rate_key(rate)] = np.where(no > 0, ratio(reached + found, yes + found + missed), np.nan)
        return result


def measure(y_true: ArrayLike, y_score: ArrayLike, y_pred: ArrayLike | None = None) -> dict[str, Estimate]:
    """Returns every metric by name, or why it is undefined.

    Args:
        y_true: (n,), whether the answer is yes.
        y_score: (n,), in [0, 1].
        y_pred: (n,), what was flagged; scores of at least one half when None.
    """
    truth, scores = np.asarray(y_true, dtype=np.bool_), np.asarray(y_score, dtype=np.float64)
    flags = scores >= 0.5 if y_pred is None else np.asarray(y_pred, dtype=np.bool_)  # noqa: PLR2004 - one half
    task = LabelTask("", truth, scores, flags, np.arange(len(truth)))
    found = Ranked(task)(np.ones((1, len(truth)), dtype=np.int32))
    return {name: number(float(found[name][0]), metric.missing(task)) for name, metric in METRICS.items()}


def _surprise(certainty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the log loss of posts by the score that their answer has, in nats."""
    return np.asarray(-np.log(np.maximum(certainty, np.finfo(np.float64).eps)))


def confusion(task: LabelTask, counts: Counts) -> Rounds:
    """Returns (4, rounds): true positives, positives, false positives, negatives, for counts of shape (rounds, n)."""
    columns = np.column_stack([task.flags & task.truth, task.truth, task.flags & ~task.truth, ~task.truth])
    return np.asarray((counts @ columns.astype(np.float64)).T)


def bin_of(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns the calibration bin of each score, 0 to BINS - 1; bins are closed below, and the last one above too."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def rate_key(rate: float) -> str:
    """Returns the name of the highest recall at a false-positive rate, such as `recall_at_fpr_0.01`."""
    return f"recall_at_fpr_{rate:g}"


def ratio(top: NDArray[np.generic], bottom: NDArray[np.generic]) -> Rounds:
    """Divides; NaN where the bottom is 0."""
    above, below = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    result: Rounds = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
    return result


_MISSING: Mapping[str, Callable[[LabelTask], str]] = MappingProxyType(
    {
        "post": lambda task: "" if len(task) else "no annotated post",
        "positive": lambda task: "" if task.truth.any() else "no positive post",
        "negative": lambda task: "" if not task.truth.all() else "no negative post",
        "flagged": lambda task: "" if task.flags.any() else "nothing was flagged",
        "bins": lambda task: "" if len(task) >= BINS else f"{number_of(len(task), 'post')} for {BINS} bins",
    }
)

AVERAGES: Final = ("macro", "micro", "weighted")
_BOTH = ("positive", "negative")
_LIST = (
    Metric("precision", ("flagged",), AVERAGES, "Of the flagged posts, the share that annotators called hateful"),
    Metric("recall", ("positive",), AVERAGES, "Of the hateful posts, the share that was flagged"),
    Metric("f1", ("positive",), AVERAGES, "Harmonic mean of precision and recall at the policy's threshold"),
    Metric("roc_auc", _BOTH, AVERAGES, "Chance that a hateful post scores above a harmless one; 0.5 is guessing"),
    Metric("average_precision", ("positive",), AVERAGES,
           "Mean precision over all recalls; guessing gives the prevalence"),
    Metric("false_positive_rate", ("negative",), ("macro",), "Of the harmless posts, the share that was flagged"),
    Metric("balanced_accuracy", _BOTH, ("macro",),
           "Mean of recall and specificity (the share decided right among hateful and among harmless posts); "
           "guessing gives 0.5"),
    *(
        Metric(rate_key(rate), _BOTH, ("macro",),
               f"Highest recall when at most {rate:.0%} of harmless posts are flagged")
        for rate in FALSE_POSITIVE_RATES
    ),
    Metric("brier", (), ("macro",), "Mean squared distance between score and outcome; lower is better"),
    Metric("log_loss", (), ("macro",), "Mean negative log-likelihood (cross-entropy) in nats; lower is better"),
    Metric("ece", ("bins",), ("macro",), "How far scores are from observed shares; lower is better"),
)  # fmt: skip
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _LIST})
# The highest label score ranks posts, but it is not the probability that a post carries any label.
RANKING = tuple(metric for metric in _LIST if metric.name not in ("brier", "log_loss", "ece"))
