"""Bootstrap intervals: of every metric on a thousand resamples of the posts in seconds, and of any other statistic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.evaluation.estimates import JEFFREYS, Estimate, number
from crossguard.evaluation.metrics import METRICS, Counts, Ranked, Rounds, ratio
from crossguard.evaluation.sample import ANY, Sample, in_turn, pool

Table: TypeAlias = dict[str, Rounds]


class Engine(Protocol):
    """From counts, (rounds, posts), to every metric, (rounds,)."""

    def __call__(self, counts: Counts, random: np.random.Generator | None = None) -> Table:
        """Computes the metrics, with a generator also for kinds of posts that are possible and have not come yet."""


# Rounds at a time: the running sums of a chunk should stay in the processor's cache, and in memory with many posts.
CHUNK = 16
CHUNK_POSTS = 400_000
ROUNDS: Final = 300
LEAST_DEFINED: Final = 0.5
"""Part of the rounds of any other statistic that must be defined for an interval to be shown."""


def draw(owners: NDArray[np.int64], rounds: int, seed: int) -> Iterator[Counts]:
    """Yields counts of resamples with replacement, (up to CHUNK, posts) at a time; the same for the same seed.

    Posts of one group, numbered from 0 on, are drawn together: copies of a post say nothing more of other posts.
    """
    generator = np.random.default_rng(seed)
    groups = int(owners.max(initial=-1)) + 1
    most = max(1, min(CHUNK, CHUNK_POSTS // max(len(owners), 1)))
    for start in range(0, rounds, most):
        size = min(most, rounds - start)
        picks = generator.integers(groups, size=(size, groups))
        drawn = np.stack([np.bincount(row, minlength=groups) for row in picks]).astype(np.int32)
        yield drawn[:, owners]


def resample(compute: Callable[[Counts], Table], owners: NDArray[np.int64], rounds: int = 1000, seed: int = 0) -> Table:
    """Computes statistics on bootstrap resamples of groups of posts, (rounds,) each; empty for 0 rounds.

    `owners`, (posts,), is the group of each post, from 0 on.
    """
    chunks = [compute(counts) for counts in draw(owners, rounds, seed)]
    return {key: np.concatenate([chunk[key] for chunk in chunks]) for key in chunks[0]} if chunks else {}


def engine_for(sample: Sample) -> Engine:
    """Sorts once, and returns the function from counts, (rounds, posts), to every metric.

    Averages have their key (`f1_macro`), metrics that of their label or of `any` before them (`any/roc_auc`); each has
    the shape (rounds,), and is NaN where it is undefined in a round.

    Given a generator, rates are those of resamples to which a kind of post that the sample lacks, such as a missed one,
    is added as H. Jeffreys' prior has it: no resample would ever have one, and a recall of 1 would seem certain.
    """
    tasks = sample.tasks()
    ranked = {task.name: Ranked(task) for task in (*tasks, sample.task(ANY))}
    pooled = Ranked(pool(tasks)) if tasks else None
    complete, correct, owners = sample.complete(), sample.correct(), sample.owners
    copies = {task.name: of_each_kind(task.truth, owners[task.rows]) for task in (*tasks, sample.task(ANY))}
    of_labels = np.mean([copies[task.name] for task in tasks], axis=0) if tasks else 1.0

    def compute(counts: Counts, random: np.random.Generator | None = None) -> Table:
        def unseen(times: Rounds | float) -> Rounds:
            shape = (4, len(counts))
            return np.zeros(shape) if random is None else times * random.gamma(JEFFREYS, size=shape)

        per_label = {name: one(counts, unseen(copies[name])) for name, one in ranked.items()}
        whole = _averages([per_label[task.name] for task in tasks], pooled(counts, unseen(of_labels))) if pooled else {}
        right, wrong, *_ = unseen(copies_of(owners[complete]))
        right, wrong = right * (not (complete & correct).any()), wrong * (not (complete & ~correct).any())
        hits, posts = (counts[:, rows].sum(axis=1) for rows in (complete & correct, complete))
        whole["subset_accuracy"] = ratio(hits + right, posts + right + wrong)
        return whole | {f"{name}/{key}": values for name, found in per_label.items() for key, values in found.items()}

    return compute


def copies_of(owners: NDArray[np.int64]) -> float:
    """Returns how many copies a post has on average, itself included."""
    return len(owners) / len(np.unique(owners)) if len(owners) else 1.0


def worth(owners: NDArray[np.int64]) -> float:
    """Returns how many different posts tell as much as these with their copies do (L. Kish 1965); 0 for none.

    That is `n**2 / (m_1**2 + m_2**2 + ...)` for n posts of which m_i are copies of text i, all decided alike.
    """
    copies = np.bincount(in_turn(owners)).astype(np.float64)
    return float(len(owners) ** 2 / (copies**2).sum()) if len(owners) else 0.0


def share_of(found: NDArray[np.bool_], owners: NDArray[np.int64]) -> tuple[float, float]:
    """Returns hits and total as of different posts, for `Estimate.share`; the share itself is that of all copies."""
    of = worth(owners)
    return of * float(found.mean()) if of else 0.0, of


def of_each_kind(truth: NDArray[np.bool_], owners: NDArray[np.int64]) -> Rounds:
    """Returns the copies of a hateful post, twice, and of a harmless one, twice: (4, 1), as `Ranked` takes kinds.

    A text of spam with a thousand copies says nothing of how many copies the hateful posts have.
    """
    return np.array([copies_of(owners[truth]), copies_of(owners[~truth])]).repeat(2)[:, None]


def _averages(labels: Sequence[Table], pooled: Mapping[str, Rounds]) -> Table:
    result: Table = {}
    support = np.stack([found["support"] for found in labels])
    for metric in METRICS.values():
        table = np.stack([found[metric.name] for found in labels])
        kinds = {
            "macro": table.mean(axis=0),
            "micro": pooled[metric.name],
            "weighted": ratio(np.where(support > 0, table * support, 0.0).sum(axis=0), support.sum(axis=0)),
        }
        result |= {f"{metric.name}_{average}": kinds[average] for average in metric.averages}
    return result


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], count: int, rounds: int = ROUNDS) -> Estimate:
    """Returns a statistic of row numbers, with repeats, and its percentile interval; it is NaN where undefined."""
    value = statistic(np.arange(count)) if count else float("nan")
    if np.isnan(value):
        return _estimate(value, np.empty(0), count)
    random = np.random.default_rng(0)
    return _estimate(value, np.array([statistic(random.integers(0, count, count)) for _ in range(rounds)]), count)


def bootstrap_counts(
    statistic: Callable[[Rounds], Rounds], counts: NDArray[np.int64], prior: NDArray[np.float64]
) -> Estimate:
    """Returns a statistic of how often each kind of row occurs, with its interval by D. B. Rubin's bootstrap (1981).

    It takes (rounds, kinds) numbers of rows and gives (rounds,), NaN where it is undefined. `counts` are (kinds,), and
    so is `prior`, which is added to them: resamples alone never have a kind that is possible and has not come yet.
    """
    count = int(counts.sum())
    if not count:
        return Estimate(None)
    drawn = count * np.random.default_rng(0).dirichlet(counts + prior, size=ROUNDS)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, *rounds = statistic(np.vstack([counts, drawn]))
    return _estimate(float(value), np.array(rounds), count).around_value()


def _estimate(value: float, rounds: Rounds, count: int) -> Estimate:
    return replace(number(value), count=count).with_rounds(rounds, LEAST_DEFINED)
