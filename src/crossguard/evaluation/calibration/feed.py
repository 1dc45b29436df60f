"""Precision, recall and F1 at the prevalence of a feed, with intervals that allow for what few posts leave open."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import Floats
from crossguard.evaluation.bootstrap import Table, copies_of
from crossguard.evaluation.calibration.maps import Fit, estimate_prevalence
from crossguard.evaluation.estimates import JEFFREYS, Estimate, number
from crossguard.evaluation.metrics import Rounds, confusion, ratio
from crossguard.evaluation.sample import LabelTask, in_turn

REFITS: Final = 100
"""So many times a prevalence is estimated anew: each time costs a fit, and its spread needs fewer than an interval."""


def at_prevalence(
    task: LabelTask,
    target: float | None,
    rounds: int = 0,
    seed: int = 0,
    *,
    likely: Floats | None = None,
    owners: NDArray[np.int64] | None = None,
) -> dict[str, Estimate]:
    """Returns precision, recall and F1 of a task where the share `target` of posts is positive, with intervals.

    Recall and false-positive rate do not change with the prevalence (the task's own when None); precision and F1 follow
    from them. For intervals, `rounds` of each are drawn from what the posts leave possible (H. Jeffreys' prior): in no
    resample of the posts is a harmless one flagged if none of them is. `likely` are the prevalences that an estimated
    `target` may as well be. `owners` are the groups of all posts of the sample: copies of a post count as one for
    intervals.
    """
    hits, yes, alarms, no = confusion(task, np.ones((1, len(task)), dtype=np.int32))
    share = ratio(yes, yes + no) if target is None else np.array([target])
    points = _metrics(share, ratio(hits, yes), ratio(alarms, no))
    if owners is not None:
        hateful, harmless = (copies_of(owners[task.rows[kind]]) for kind in (task.truth, ~task.truth))
        hits, yes, alarms, no = hits / hateful, yes / hateful, alarms / harmless, no / harmless
    random = np.random.default_rng(seed)
    shares = share if likely is None else random.choice(likely, rounds)
    if target is None:
        shares = random.beta(yes + JEFFREYS, no + JEFFREYS, rounds)
    recall = random.beta(hits + JEFFREYS, yes - hits + JEFFREYS, rounds)
    drawn = _metrics(shares, recall, random.beta(alarms + JEFFREYS, no - alarms + JEFFREYS, rounds))
    why = {"precision": "nothing was flagged", "recall": "no positive post", "f1": "no positive post"}
    return {key: number(float(at[0]), why[key]).with_rounds(drawn[key]).around_value() for key, at in points.items()}


def likely_prevalences(
    fit: Fit,
    logits: Floats,
    truth: NDArray[np.bool_],
    feed: Floats,
    *,
    owners: NDArray[np.int64] | None = None,
    feed_owners: NDArray[np.int64] | None = None,
    rounds: int = REFITS,
    seed: int = 0,
) -> Floats:
    """Returns estimates of the prevalence in a feed, (rounds,), by maps fitted to resamples, on resamples of the feed.

    Args:
        fit: Fits the map from logits to probabilities.
        logits: (n,), of the annotated posts.
        truth: (n,), whether they carry the label; as many different posts do in each resample.
        feed: (m,), logits of unlabelled posts.
        owners: (n,), a number that copies of an annotated post share, which are drawn together; None for no copies.
        feed_owners: (m,), likewise of the feed.
        rounds: How many estimates.
        seed: Of the resamples.
    """
    random = np.random.default_rng(seed)
    own = np.arange(len(logits)) if owners is None else owners
    kinds = [(kind, in_turn(own[kind])) for kind in (np.flatnonzero(truth), np.flatnonzero(~truth))]
    among = np.arange(len(feed)) if feed_owners is None else in_turn(feed_owners)
    found = np.empty(rounds)
    for place in range(rounds):
        rows = np.concatenate([kind[_drawn(random, groups)] for kind, groups in kinds])
        scores = fit(logits[rows], truth[rows]).apply(feed[_drawn(random, among)])
        found[place] = estimate_prevalence(scores, float(truth[rows].mean()))
    return found


def _drawn(random: np.random.Generator, owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the places of a resample of groups, numbered from 0 on, with all that is in each."""
    groups = int(owners.max(initial=-1)) + 1
    counts = np.bincount(random.integers(groups, size=groups), minlength=groups)
    return np.repeat(np.arange(len(owners)), counts[owners])


def _metrics(share: Rounds, recall: Rounds, wrong: Rounds) -> Table:
    found, flagged = share * recall, share * recall + (1 - share) * wrong
    return {"precision": ratio(found, flagged), "recall": recall, "f1": ratio(2 * found, flagged + share)}
