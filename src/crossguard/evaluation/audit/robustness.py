"""What of the hateful posts that a model finds is still found in disguise, and which harmless posts become flagged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.evasion import EVASIONS, Evasion, evade
from crossguard.evaluation.bootstrap import Table, copies_of, resample, share_of
from crossguard.evaluation.estimates import JEFFREYS, Estimate
from crossguard.evaluation.metrics import Counts
from crossguard.evaluation.sample import ANY, in_turn
from crossguard.moderator import Moderator
from crossguard.records import Post

# The worst tenth of the ways, as a person who wants to get through would choose.
WORST = 0.1
# The worst ways are chosen on four fifths of the posts and tried on the others, in five partitions of them.
FOLDS = 5
PARTITIONS = 5
_NOTHING = "nothing was found as written"


@dataclass(frozen=True, slots=True)
class Survival:
    """One way of disguising a text."""

    evasion: Evasion
    # Of the hateful posts found as written, the share that is still found, with its 95 % Wilson interval
    kept: Estimate
    newly_flagged: int  # harmless posts that are flagged in disguise only
    no_longer_flagged: int  # harmless posts that are flagged as written only

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        counts = {"newly_flagged": self.newly_flagged, "no_longer_flagged": self.no_longer_flagged}
        evasion = {"kind": self.evasion.kind, "held_out": self.evasion.held_out}
        return {**evasion, "kept": self.kept.to_dict(), **counts}


@dataclass(frozen=True, slots=True)
class Robustness:
    """A model against every way of `EVASIONS`."""

    source: str
    question: str
    hateful: int
    found: int  # of those, flagged as written; only these can be lost
    harmless: int
    harmless_flagged: int  # of those, flagged as written
    mean: Estimate  # mean of the kept shares over all ways, with a bootstrap interval over posts
    worst_tenth: Estimate  # mean over the tenth of the ways that keeps least of other posts
    held_out: Estimate  # mean over the ways that no training of Crossguard uses
    harmless_change: Estimate  # mean over the ways of the change in the flagged share of harmless posts
    ways: Mapping[str, Survival]


@dataclass(frozen=True, slots=True)
class EvasionTest:
    """How to test."""

    question: str = ANY  # label, or `any`
    limit: int = 300  # at most so many hateful and so many harmless posts, drawn at random
    rounds: int = 1000
    seed: int = 0  # of the draw, the disguises and the resamples
    # Called with the name of each way before it is scored, to show progress
    on_way: Callable[[str], None] | None = None


def measure_robustness(moderator: Moderator, annotated: Annotated, test: EvasionTest) -> Robustness:
    """Disguises the words of annotated posts in every way and scores them again, each with its image.

    A post that cannot be scored in disguise counts as not flagged: whoever disguises it gets through.
    """
    posts, truth, groups = _tried(annotated, test)
    plain = _flags(moderator, posts, test.question)
    disguised = {}
    for name in EVASIONS:
        if test.on_way is not None:
            test.on_way(name)
        changed = [_disguised(post, name, test.seed) for post in posts]
        disguised[name] = _flags(moderator, changed, test.question)
    return summarise(annotated.source, truth, plain, disguised, test, groups=groups)


def summarise(
    source: str,
    truth: NDArray[np.bool_],
    plain: NDArray[np.bool_],
    disguised: Mapping[str, NDArray[np.bool_]],
    test: EvasionTest,
    *,
    groups: NDArray[np.int64],
) -> Robustness:
    """Builds the result; copies of a post share a number in `groups`, (posts,), and count as one in intervals."""
    found, harmless = truth & plain, ~truth
    flags = np.stack(list(disguised.values()), axis=1)
    kept, wrong = flags[found], flags[harmless]
    before = plain[harmless]
    ways = {
        name: Survival(
            EVASIONS[name],
            Estimate.share(*share_of(kept[:, column], groups[found]), _NOTHING),
            int((wrong[:, column] & ~before).sum()),
            int((before & ~wrong[:, column]).sum()),
        )
        for column, name in enumerate(disguised)
    }
    held_out = [column for column, name in enumerate(disguised) if EVASIONS[name].held_out]
    change = wrong.astype(np.float64) - before[:, None]
    return Robustness(
        source, test.question, int(truth.sum()), int(found.sum()), int(harmless.sum()), int(before.sum()),
        mean=_mean(kept, groups[found], 0, test, _NOTHING),
        worst_tenth=_worst(kept, groups[found], test),
        held_out=_mean(kept[:, held_out], groups[found], 0, test, _NOTHING),
        harmless_change=_mean(change, groups[harmless], -1, test, "no harmless post"),
        ways=ways,
    )  # fmt: skip


def _tried(annotated: Annotated, test: EvasionTest) -> tuple[list[Post], NDArray[np.bool_], NDArray[np.int64]]:
    """Draws posts with words and a known answer; returns them, whether they are hateful, and their groups of copies."""
    sample = annotated.sample(np.zeros(annotated.truth.shape))
    task = sample.task(test.question)
    words = [annotated.posts[row].text + annotated.posts[row].image_text for row in task.rows]
    worded = np.array([bool(text.strip()) for text in words], dtype=np.bool_)
    random = np.random.default_rng(test.seed)
    hateful, harmless = (
        np.sort(random.permutation(task.rows[(task.truth == kind) & worded])[: test.limit]) for kind in (True, False)
    )
    if not len(hateful):
        asked = "" if test.question == ANY else f" (question '{test.question}')"
        raise InputError(
            f"'{annotated.source}' has no hateful post with words{asked}, so there is nothing to disguise."
        )
    rows = np.concatenate([hateful, harmless])
    truth = np.repeat([True, False], [len(hateful), len(harmless)])
    return [annotated.posts[row] for row in rows], truth, sample.owners[rows]


def _disguised(post: Post, name: str, seed: int) -> Post:
    text, image_text = (evade(words, name, seed) if words.strip() else words for words in (post.text, post.image_text))
    return replace(post, text=text, image_text=image_text)


def _flags(moderator: Moderator, posts: Sequence[Post], question: str) -> NDArray[np.bool_]:
    flags = [decision.flags for decision in moderator.score(posts)]
    return np.array([bool(found) if question == ANY else question in found for found in flags], dtype=np.bool_)


def _worst(kept: NDArray[np.bool_], groups: NDArray[np.int64], test: EvasionTest) -> Estimate:
    """Mean over the worst ways of other posts, with an interval; `kept` is (posts, ways).

    The ways that keep least of some posts keep more of others: part of what makes them the worst is chance.
    """
    owners = in_turn(groups)
    different = int(owners.max(initial=-1)) + 1
    if different == 1:
        return Estimate.undefined("worst ways are chosen on other posts, and there are none")
    random, most = np.random.default_rng((test.seed, 2)), math.ceil(WORST * kept.shape[1])
    per_post = np.zeros((len(kept), 1))
    for _ in range(PARTITIONS):
        places = (random.permutation(different) % FOLDS)[owners]
        for fold in np.unique(places):
            tried = places == fold
            worst = np.argsort(kept[~tried].sum(axis=0), kind="stable")[:most]
            per_post[tried] += kept[tried][:, worst].mean(axis=1, keepdims=True) / PARTITIONS
    return _mean(per_post, groups, 0, test, _NOTHING)


def _mean(table: NDArray[Any], groups: NDArray[np.int64], least: int, test: EvasionTest, reason: str) -> Estimate:
    """Mean over posts and ways of numbers from `least` to 1, with a bootstrap interval over groups of posts.

    If no post has `least`, or none has 1, in every way, each resample gets some of such a post as H. Jeffreys' prior
    has it: few posts that are all alike say little about others.
    """
    if not table.size:
        return Estimate.undefined(reason)
    per_post = table.mean(axis=1)
    ends = np.array([least, 1])
    absent = [not (per_post == end).any() for end in ends]
    random = np.random.default_rng((test.seed, 1))  # other numbers than those that draw the posts

    def compute(counts: Counts) -> Table:
        unseen = random.gamma(JEFFREYS, size=(len(counts), 2)) * absent * copies_of(groups)
        return {"mean": (counts @ per_post + unseen @ ends) / (counts.sum(axis=1) + unseen.sum(axis=1))}

    drawn = resample(compute, in_turn(groups), test.rounds, test.seed)
    estimate = Estimate(float(per_post.mean()))
    return estimate.with_rounds(drawn["mean"]).around_value() if drawn else estimate
