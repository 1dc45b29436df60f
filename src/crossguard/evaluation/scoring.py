"""Runs a moderator over annotated posts, whole or with one modality taken away."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.policy import Kind, Policy
from crossguard.errors import InputError, number_of
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.sample import ANY, Sample, overall
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post

View = Literal["fused", "text-only", "image-only"]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a moderator said about annotated posts."""

    annotated: Annotated
    sample: Sample
    logits: NDArray[np.float64]  # (n, labels), the columns of the policy's label scheme
    text_weight: NDArray[np.float32]
    failed: dict[str, int]  # how many posts could not be scored, by error code
    seconds: float  # time the model took, preparation included
    languages: Mapping[str, int]  # how many posts in which it does not know


def score(moderator: Moderator, annotated: Annotated, view: View = "fused") -> Scored:
    """Scores annotated posts under the moderator's policy.

    Raises:
        InputError: No post could be scored.
    """
    posts = [_seen_through(view, post) for post in annotated.posts]
    start = time.perf_counter()
    logits, failed = moderator.logits(posts)
    seconds = time.perf_counter() - start
    ready = np.asarray(~np.isnan(logits.values).any(axis=1))
    if not ready.any():
        error = failed[0].error if failed else None
        first = f" The first: {error.message}" if error else ""
        raise InputError(f"None of {len(posts)} posts could be scored ({view}).{first}")
    kept = annotated.take(ready)
    columns = moderator.bundle.columns(moderator.policy)
    values = logits.values[ready][:, columns].astype(np.float64)
    scores = moderator.policy.scores(moderator.labels, values)
    weights = logits.text_weight[ready]
    limits = _limits(moderator, [post for post, scored in zip(posts, ready, strict=True) if scored], weights)
    return Scored(kept, kept.sample(scores, limits), values, weights, error_codes(failed), seconds, logits.languages)


def error_codes(failed: Sequence[Decision]) -> dict[str, int]:
    """Returns how many of these could not be scored, by error code."""
    return dict(Counter(decision.error.code for decision in failed if decision.error))


def unscored(failed: Mapping[str, int], what: str, of: str = "") -> list[str]:
    """Returns a note on posts that could not be scored, by error code, and are left out; none where all were."""
    if not failed:
        return []
    reasons = ", ".join(f"{count} {reason}" for reason, count in failed.items())
    posts = number_of(sum(failed.values()), "post")
    return [f"Left out of {what}: {posts}{of} that could not be scored ({reasons})."]


def half_answered(sample: Sample) -> list[str]:
    """Returns a note on posts of which only some labels are known, so that nobody says whether they are hateful."""
    some = ~np.isnan(sample.truth).all(axis=1)
    left = int((some & np.isnan(overall(sample.truth, sample.hateful))).sum())
    if not left:
        return []
    which = number_of(left, "post") if left == some.sum() else f"{left:,} of {number_of(int(some.sum()), 'post')}"
    why = "with an answer for some labels only, hateful ones as well as harmless ones"
    return [f"Left out of '{ANY}': {which} {why}. A column 'hateful' would say what they are."]


def in_other_languages(scored: Scored) -> list[str]:
    """Returns a note on posts in languages that the model does not know; none where there are none."""
    found = Counter(scored.languages)
    if not found:
        return []
    names = ", ".join(f"{name} {count}" for name, count in found.most_common())
    posts = number_of(found.total(), "post")
    return [f"Counted, though their scores mean little: {posts} in a language that the model does not know ({names})."]


def changed_by_hand(moderator: Moderator) -> list[str]:
    """Returns the labels whose thresholds or calibration a policy file has others of than the policy it starts from."""
    policy = moderator.policy
    base = moderator.bundle.manifest.policies.get(policy.base or "")
    if base is None or policy.provenance:
        return []

    def fitted(of: Policy, name: str) -> list[Any]:
        rules = [of.rules(kind)[name] for kind in get_args(Kind)]
        return [(rule.threshold, rule.calibration, rule.prevalence) for rule in rules]

    return [name for name in moderator.labels.names if fitted(policy, name) != fitted(base, name)]


def has_both(scored: Scored) -> NDArray[np.bool_]:
    """Returns which posts have words and an image, (n,): on these the modalities can be told apart."""
    return np.array([kind == "both" for kind in _kinds(scored.annotated.posts, scored.text_weight)])


def _seen_through(view: View, post: Post) -> Post:
    if view == "text-only":
        return replace(post, image=None)
    if view == "image-only":
        return replace(post, text="", image_text="")
    return post


def _limits(moderator: Moderator, posts: Sequence[Post], text_weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the live threshold of each post and label, (n, labels): by what the post has, as it is decided."""
    names, policy = moderator.labels.names, moderator.policy
    rules = {kind: [policy.rules(kind)[name].threshold for name in names] for kind in get_args(Kind)}
    return np.array([rules[kind] for kind in _kinds(posts, text_weight)])


def _kinds(posts: Sequence[Post], text_weight: NDArray[np.float32]) -> Iterator[Kind]:
    """Yields what each post has; the gate gives words no weight where none were left after cleaning."""
    for post, weight in zip(posts, text_weight, strict=True):
        yield "text" if post.image is None else "both" if weight > 0 else "image"
