"""Fits calibration, thresholds and bands of a policy, and measures them on posts that they were not fitted on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from crossguard.decision.calibration import Floats, sigmoid
from crossguard.decision.policy import LabelPolicy, Prevalence
from crossguard.errors import ConfigError, InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.maps import FOLDS, KINDS, Groups, Map, choose, estimate_prevalence, weights_for
from crossguard.evaluation.calibration.thresholds import between, block_limit, fit_budget, fit_threshold, review_limit
from crossguard.evaluation.sample import Sample

BEST_F1 = Criterion("f1")
# From this gain of recall on, it is told that a threshold between posts of one score would reach more.
MORE_RECALL = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit, and how."""

    criterion: Criterion = BEST_F1  # what each threshold should achieve
    criteria: Mapping[str, Criterion] = field(default_factory=dict)
    kinds: tuple[str, ...] = tuple(KINDS)  # calibrations to choose among, from the simplest to the richest
    # Base rate of labels in the feed that the policy is for, where it differs from the data's
    prevalence: Mapping[str, float] = field(default_factory=dict)
    # Guarantee for `review`: a post that carries a label is allowed by that label with at most this probability
    miss_rate: float | None = None
    # Guarantee for `block`: a post that carries no label is blocked, by any, with at most this probability; nothing is
    # blocked when None
    block_rate: float | None = None
    seed: int = 0
    kind: Mapping[str, str] = field(default_factory=dict)  # calibration of labels for which it is not to be chosen

    def criterion_of(self, label: str) -> Criterion:
        """Returns the criterion of one label."""
        return self.criteria.get(label, self.criterion)

    def kinds_of(self, label: str) -> tuple[str, ...]:
        """Returns the calibrations to choose among for one label."""
        return (self.kind[label],) if label in self.kind else self.kinds


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted."""

    rules: dict[str, LabelPolicy]
    kinds: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def scores(self, labels: tuple[str, ...], logits: Floats) -> Floats:
        """Returns calibrated scores, (n, labels)."""
        return np.stack([self.rules[name].score(logits[:, i]) for i, name in enumerate(labels)], axis=1)


def fit(
    plan: Plan,
    labels: tuple[str, ...],
    logits: Floats,
    truth: Floats,
    *,
    groups: Groups | None = None,
    feed: Floats | None = None,
) -> Fitted:
    """Fits a policy for all labels to logits and truth of shape (n, labels).

    Posts of one group never stand on both sides of a fold by which the calibration is chosen. `feed`, (m, labels), are
    logits of unlabelled posts from the feed that the policy is for: prevalences that the plan does not give are then
    estimated from them, and review budgets are kept on them.

    Raises:
        ConfigError: A review budget for another prevalence without a feed.
    """
    if plan.prevalence and feed is None and any(plan.criterion_of(name).kind == "review-budget" for name in labels):
        raise ConfigError("A review budget at another prevalence is kept on posts of that feed; give some with --feed.")
    owners = np.arange(len(truth)) if groups is None else groups
    columns = [
        _fit_column(plan, name, logits[:, i], truth[:, i], owners, None if feed is None else feed[:, i])
        for i, name in enumerate(labels)
    ]
    limits = _thresholds(plan, columns)
    highest = None if plan.block_rate is None else _block_limit(plan.block_rate, logits, truth, owners)
    rules = {c.name: c.rule.model_copy(update=_limits(plan, c, limits[c.name], highest)) for c in columns}
    notes = [
        f"{c.name}: too few different posts of one kind to choose a calibration; '{c.kind}' is kept."
        for c in columns
        if not c.losses and len(plan.kinds_of(c.name)) > 1
    ]
    notes += _unused(plan, columns, limits)
    notes += _coarse(plan, columns, limits)
    return Fitted(rules, {c.name: c.kind for c in columns}, tuple(notes))


def cross_fit(
    plan: Plan, sample: Sample, logits: Floats, groups: Groups | None = None, *, feed: Floats | None = None
) -> Sample:
    """Returns a copy of the sample in which every post's scores and flags come from a fit on the other folds.

    Posts of one group never stand on both sides of a fold. All folds fit the kind of calibration that is chosen on all
    posts: a fold alone may have too few for a choice, and would then have scores on another scale. Posts are ranked by
    their logits, because every fold still has a map of its own.

    Raises:
        InputError: A criterion cannot be met, on all posts or in a fold.
    """
    scores, flags = np.full_like(logits, np.nan), np.zeros(logits.shape, dtype=np.bool_)
    owners = np.arange(len(sample)) if groups is None else groups
    kinds = fit(plan, sample.labels, logits, sample.truth, groups=owners, feed=feed).kinds
    # Bands have no part in scores and flags, and a fold alone may have too few posts for their guarantees.
    chosen = replace(plan, kind=kinds, miss_rate=None, block_rate=None)
    for inside, outside in _folds(_rarest(sample.truth), owners, plan.seed):
        try:
            fitted = fit(chosen, sample.labels, logits[inside], sample.truth[inside], feed=feed)
        except InputError as error:
            raise InputError(f"Cross-validation, by a fit on four fifths of the posts: {error}") from None
        scores[outside] = fitted.scores(sample.labels, logits[outside])
        limits = np.array([fitted.rules[name].threshold for name in sample.labels])
        flags[outside] = scores[outside] >= limits
    return replace(sample, scores=scores, flags=flags, before=sigmoid(logits))


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One label while it is fitted: its annotated posts, and its rule so far."""

    name: str
    logits: Floats
    yes: NDArray[np.bool_]
    groups: Groups
    weights: Floats
    posts: Floats  # logits of the posts on which a review budget is kept
    rule: LabelPolicy
    kind: str
    losses: dict[str, float]


def _fit_column(  # noqa: PLR0917
    plan: Plan, name: str, logits: Floats, truth: Floats, groups: Groups, feed: Floats | None
) -> _Column:
    known = ~np.isnan(truth)
    values, yes = logits[known], truth[known] > 0
    if yes.all() or not yes.any():
        kind = "annotated" if not len(yes) else "negative" if yes.all() else "positive"
        raise InputError(f"Label '{name}' has no {kind} post, so nothing can be fitted for it.")
    kinds = {kind: KINDS[kind] for kind in plan.kinds_of(name)}
    kind, calibration, losses = choose(values, yes, groups[known], kinds, plan.seed)
    shift = _shift(plan, name, calibration, float(yes.mean()), feed)
    rule = LabelPolicy(threshold=0.5, calibration=calibration, prevalence=shift)
    weights = np.ones(len(yes)) if shift is None else weights_for(yes, shift.target)
    return _Column(name, values, yes, groups[known], weights, logits if feed is None else feed, rule, kind, losses)


def _shift(plan: Plan, name: str, calibration: Map, source: float, feed: Floats | None) -> Prevalence | None:
    if name in plan.prevalence:
        return Prevalence(source=source, target=plan.prevalence[name])
    if feed is None:
        return None
    return Prevalence(source=source, target=estimate_prevalence(calibration.apply(feed), source))


def _thresholds(plan: Plan, columns: Sequence[_Column]) -> dict[str, float]:
    """Labels with the same review budget share it over their `posts`; other criteria look at their own label only."""
    result: dict[str, float] = {}
    for column in columns:
        criterion = plan.criterion_of(column.name)
        if criterion.kind != "review-budget":
            with _named(column):
                scores = column.rule.score(column.logits)
                result[column.name] = fit_threshold(criterion, column.yes, scores, column.weights)
    for budget, (names, scores) in _budgets(plan, columns).items():
        result |= dict(zip(names, map(float, fit_budget(budget, scores)), strict=True))
    return result


def _budgets(plan: Plan, columns: Sequence[_Column]) -> dict[float, tuple[list[str], Floats]]:
    """Returns for each review budget the labels that share it, and the scores (n, labels) of the posts that keep it."""
    sharing: dict[float, list[_Column]] = {}
    for column in columns:
        criterion = plan.criterion_of(column.name)
        if criterion.kind == "review-budget":
            sharing.setdefault(criterion.value, []).append(column)
    return {
        budget: ([c.name for c in group], np.stack([c.rule.score(c.posts) for c in group], axis=1))
        for budget, group in sharing.items()
    }


def _unused(plan: Plan, columns: Sequence[_Column], limits: Mapping[str, float]) -> Iterator[str]:
    """Says of which budget less than half is used; of posts that differ in score, all but about one per label is."""
    for budget, (names, scores) in _budgets(plan, columns).items():
        flagged, most = int((scores >= [limits[name] for name in names]).any(axis=1).sum()), budget * len(scores)
        if 2 * flagged < most and flagged + len(names) < most:
            steps = any(column.kind == "isotonic" for column in columns if column.name in names)
            yield (
                f"Of a review budget of {budget:.2%}, {flagged / len(scores):.2%} is used: too many posts share a "
                "score, and all or none of them are flagged."
            ) + (" --calibration platt gives fewer of them the same score." if steps else "")


def _coarse(plan: Plan, columns: Sequence[_Column], limits: Mapping[str, float]) -> Iterator[str]:
    """Says which precision would leave notably more recall if an isotonic map gave no posts the same score."""
    for column in columns:
        criterion = plan.criterion_of(column.name)
        if column.kind != "isotonic" or criterion.kind != "precision":
            continue
        # By rank: scores of very high logits are all 1.
        finest = np.unique(column.logits, return_inverse=True)[1] / len(column.logits)
        limit = fit_threshold(criterion, column.yes, finest, column.weights)
        recall = float((column.rule.score(column.logits) >= limits[column.name])[column.yes].mean())
        possible = float((finest >= limit)[column.yes].mean())
        if possible - recall >= MORE_RECALL:
            yield (
                f"{column.name}: {criterion} is met with a recall of {recall:.3f}, and would be with "
                f"{possible:.3f} on these posts if fewer of them shared a score, as with --calibration platt."
            )


def _block_limit(rate: float, logits: Floats, truth: Floats, groups: Groups) -> float:
    """Returns the logit above which any label blocks a post: one for all labels, by the highest of each harmless post.

    One per label would block a harmless post for each chance that it has to lie above one. A post that is annotated for
    some labels only, and carries none of them, counts as harmless: it may only raise the limit.
    """
    harmless = (truth == 0).any(axis=1) & ~(truth > 0).any(axis=1)
    return block_limit(-_lowest(-logits[harmless].max(axis=1), groups[harmless]), rate)


def _limits(plan: Plan, column: _Column, threshold: float, highest: float | None) -> dict[str, float]:
    """Returns threshold and bands; `highest` is the logit above which a post is blocked.

    Bands are found on logits, whose order no calibration changes, so that fitting the calibration on the same posts
    does not void their guarantee. Each group has one logit there, the one that asks most of the band: copies of a post
    show nothing more of a feed.
    """
    limits = {"threshold": threshold}
    if plan.miss_rate is not None:
        with _named(column):
            limit = review_limit(_lowest(column.logits[column.yes], column.groups[column.yes]), plan.miss_rate)
        scores = column.rule.score(np.append(column.logits[column.logits < limit], limit))
        limits["review"] = min(between(float(scores[:-1].max(initial=0.0)), float(scores[-1])), threshold)
    if highest is not None:
        scores = column.rule.score(np.append(highest, column.logits[column.logits > highest]))
        # Strictly above the limit; a score of 1 cannot be passed, so then nothing may be blocked.
        higher = scores[scores > scores[0]].min(initial=1.0)
        if scores[0] < 1:
            limits["block"] = max(between(float(scores[0]), float(higher)), threshold)
    return limits


def _lowest(logits: Floats, groups: Groups) -> Floats:
    """Returns the lowest logit of each group."""
    order = np.lexsort((logits, groups))
    firsts = np.unique(groups[order], return_index=True)[1]
    return logits[order][firsts]


@contextmanager
def _named(column: _Column) -> Iterator[None]:
    """Says which label a problem is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"Label '{column.name}': {error}") from None


def _folds(strata: NDArray[np.int64], owners: Groups, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Returns of each fold the posts outside of it and those in it; a stratum of fewer posts than folds is in some."""
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return list(splitter.split(strata, strata, owners))


def _rarest(truth: Floats) -> NDArray[np.int64]:
    """Returns the column of the rarest label that each post carries, or -1: folds then share the rare posts fairly."""
    order = np.argsort(np.nansum(truth, axis=0))
    carried = truth[:, order] > 0
    return np.where(carried.any(axis=1), order[np.argmax(carried, axis=1)], -1)
