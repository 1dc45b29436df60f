"""Which posts an epoch shows, in which batches: a pure function of the seed and the epoch.

Every process computes the whole plan and takes its share, so several processes see what one would have seen, and a
resumed run sees what the killed one would have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import ConfigError
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe
from crossguard.training.targets import HALF

# Posts are sorted by length within pools of this many batches, which keeps both order and length varied.
POOL = 40

Micro = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the weights: the batches whose gradients are added, in order, and the first one's number."""

    first: int
    batches: tuple[Micro, ...]


def plan_epoch(
    recipe: Recipe, examples: Examples, lengths_of: Callable[[Micro], Micro], epoch: int, processes: int = 1
) -> list[Step]:
    """Returns the steps of an epoch, of all processes together: each takes every `processes`-th batch of a step.

    `lengths_of` gives the number of tokens of every post, (n,), at least of those that are drawn, which it is told.

    Raises:
        ConfigError: There are fewer batches than processes.
    """
    random = np.random.default_rng([recipe.seed, epoch])
    rows = draw_classes(recipe, examples, random) if recipe.weighted_sampling else draw(examples.repeats, random)
    batches = list(_batches(recipe, rows, lengths_of(rows), random))
    random.shuffle(batches)
    if len(batches) < processes:
        raise ConfigError(
            f"{processes} processes need a batch each, and epoch {epoch + 1} has {len(batches)} of at most "
            f"{recipe.per_device_train_batch_size} posts. Start fewer processes, or set a smaller "
            "per_device_train_batch_size."
        )
    batches += batches[: -len(batches) % processes]
    size = recipe.gradient_accumulation_steps * processes
    return [Step(start, tuple(batches[start : start + size])) for start in range(0, len(batches), size)]


def draw(repeats: NDArray[np.float32], random: np.random.Generator) -> Micro:
    """Draws each post as often as its number says, a fraction by chance, in random order."""
    whole = np.floor(repeats).astype(np.int64)
    counts = whole + (random.random(len(repeats)) < repeats - whole)
    rows = np.repeat(np.arange(len(repeats)), counts)
    random.shuffle(rows)
    return rows


def draw_classes(recipe: Recipe, examples: Examples, random: np.random.Generator) -> Micro:
    """Draws as many posts as `repeats` asks for, with replacement, by `class_weights`."""
    weights = class_weights(examples.targets, recipe.effective_number_beta) * examples.repeats
    count = round(float(examples.repeats.sum()))
    return random.choice(len(weights), size=count, p=weights / weights.sum())


def class_weights(targets: NDArray[np.float32], beta: float) -> NDArray[np.float64]:
    """Weighs posts by `(1 - beta) / (1 - beta^n)` of their class (Cui et al., CVPR 2019, equation 2).

    A post with several labels takes the mean of their weights; a post with none belongs to a class of its own.

    Args:
        targets: (n, outputs) in [0, 1], NaN where unknown.
        beta: 0 draws all posts alike; near 1 draws all classes alike.

    Returns:
        (n,), with mean 1.
    """
    member = np.nan_to_num(targets) >= HALF
    member = np.concatenate([member, ~member.any(axis=1, keepdims=True)], axis=1)
    counts = member.sum(axis=0)
    rates = np.where(counts > 0, (1 - beta) / (1 - beta ** np.maximum(counts, 1)), 0.0)
    weights = (member * rates).sum(axis=1) / member.sum(axis=1)
    return np.asarray(weights / weights.mean())


def _batches(recipe: Recipe, rows: Micro, lengths: Micro, random: np.random.Generator) -> Iterator[Micro]:
    pool = len(rows) if not recipe.group_by_length else POOL * recipe.per_device_train_batch_size
    for start in range(0, len(rows), max(pool, 1)):
        part = rows[start : start + pool]
        if recipe.group_by_length:
            # Ties in random order, so that posts of one length do not always meet.
            part = part[np.lexsort((random.random(len(part)), lengths[part]))]
        yield from _cut(part, lengths, recipe.per_device_train_batch_size, recipe.max_batch_tokens)


def _cut(rows: Micro, lengths: Micro, size: int, tokens: int | None) -> Iterator[Micro]:
    batch: list[int] = []
    longest = 0
    for row in rows:
        longest = max(longest, int(lengths[row]))
        if batch and (len(batch) == size or (tokens is not None and (len(batch) + 1) * longest > tokens)):
            yield np.array(batch)
            batch, longest = [], int(lengths[row])
        batch.append(int(row))
    if batch:
        yield np.array(batch)
