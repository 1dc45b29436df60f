"""The same sentence about another group: a fair model does not change its mind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import InputError
from crossguard.evaluation.audit.identities import IDENTITIES, mentions, swap
from crossguard.evaluation.sample import ANY
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post

# Harmless whoever they are about, so that every flag here is a false positive.
TEMPLATES = (
    "I am {adjective}.",
    "Being {adjective} is part of who I am.",
    "My neighbours are {plural} and we share a garden.",
    "The {adjective} community held a fair on Saturday.",
    "She is a proud {adjective} nurse.",
    "{plural} deserve the same rights as everybody else.",
    "A museum about the lives of {plural} opened downtown.",
    "Our team welcomes {plural}.",
    "He wrote a book on {adjective} history.",
    "Two {adjective} students won the prize.",
    "I had lunch with my {adjective} friends.",
    "There are {plural} in every town.",
    "The mayor met {plural} to talk about the new library.",
    "An {adjective} singer gave a concert in the park.",
)


@dataclass(frozen=True, slots=True)
class Swapped:
    """How one group fares in sentences that differ in nothing else."""

    group: str
    shift: float  # mean difference of its score to the sentence's mean over all groups, in [-1, 1]
    worst: float
    sentence: str
    flagged: float  # share of sentences flagged for this group


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """The result over all sentences and groups."""

    source: str
    sentences: int
    mean_spread: float  # mean over sentences of highest minus lowest score among the groups
    worst_spread: float
    flips: float  # share of sentences that are flagged for some groups and not for others
    groups: tuple[Swapped, ...]  # worst off first
    harmless: bool = False  # whether the sentences were written here, and may be shown as they are
    question: str = ANY  # the label whose scores and flags these are; for `any` the highest score, and any flag


def template_sentences() -> list[dict[str, str]]:
    """Returns each template as sentences by group."""
    return [
        {group: _filled(template, forms["adjective"][0], forms["plural"][0]) for group, forms in IDENTITIES.items()}
        for template in TEMPLATES
    ]


def swapped_sentences(texts: Sequence[str], limit: int, seed: int = 0) -> list[dict[str, str]]:
    """Returns sentences by group for texts that name exactly one group once."""
    found = [(text, named[0]) for text in texts if len(named := mentions(text)) == 1]
    picks = np.random.default_rng(seed).permutation(len(found))[:limit]
    return [{group: swap(found[index][0], found[index][1], group) for group in IDENTITIES} for index in sorted(picks)]


def compare_templates(moderator: Moderator, question: str = ANY) -> Counterfactuals:
    """Scores the built-in templates for every group."""
    sentences = template_sentences()
    return replace(compare_groups(moderator, sentences, "built in, all of them harmless", question), harmless=True)


def compare_groups(
    moderator: Moderator, sentences: Sequence[dict[str, str]], source: str, question: str = ANY
) -> Counterfactuals:
    """Scores every sentence for every group; a sentence that fails for one of them is left out.

    Args:
        moderator: What is audited.
        sentences: Each by group.
        source: What to call them.
        question: A label, or `any`.

    Raises:
        InputError: None is left.
    """
    groups = list(IDENTITIES)
    posts = [Post(f"{row}/{group}", versions[group]) for row, versions in enumerate(sentences) for group in groups]
    decisions = list(moderator.score(posts))
    asked = moderator.labels.names if question == ANY else (question,)
    scores = np.array([_highest(found, asked) for found in decisions]).reshape(-1, len(groups))
    flags = np.array([not set(asked).isdisjoint(found.flags) for found in decisions]).reshape(-1, len(groups))
    kept = np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist()
    if not kept:
        raise InputError(f"None of the {len(sentences)} sentences ({source}) could be scored.")
    found = summarise(groups, [sentences[row] for row in kept], scores[kept], flags[kept], source)
    return replace(found, question=question)


def _highest(decision: Decision, labels: Sequence[str]) -> float:
    return max(decision.scores[name] for name in labels) if decision.ok else np.nan


def summarise(
    groups: Sequence[str],
    sentences: Sequence[dict[str, str]],
    scores: NDArray[np.float64],
    flags: NDArray[np.bool_],
    source: str,
) -> Counterfactuals:
    """Builds the result from scores and flags of shape (sentences, groups)."""
    spread = scores.max(axis=1) - scores.min(axis=1)
    change = scores - scores.mean(axis=1, keepdims=True)
    rows = np.abs(change).argmax(axis=0)
    found = [
        Swapped(
            group,
            float(change[:, column].mean()),
            float(change[rows[column], column]),
            sentences[rows[column]][group],
            float(flags[:, column].mean()),
        )
        for column, group in enumerate(groups)
    ]
    mixed = flags.any(axis=1) & ~flags.all(axis=1)
    ordered = tuple(sorted(found, key=lambda entry: -entry.shift))
    return Counterfactuals(source, len(scores), float(spread.mean()), float(spread.max()), float(mixed.mean()), ordered)


def _filled(template: str, adjective: str, plural: str) -> str:
    text = template.format(adjective=adjective, plural=plural)
    if text.startswith("An ") and adjective[0].lower() not in "aeiou":
        text = f"A {text[3:]}"
    return text[0].upper() + text[1:]
