"""Fair timing on machines whose speed drifts: contenders take turns, and ratios are taken within a round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crossguard.machine import available_cores
from crossguard.records import Post

Clock = Callable[[], float]
Score = Callable[[Sequence[Post]], object]
# A slow contender scores this many posts in a round at least, so that one post does not decide.
FEWEST = 4
# Posts of a turn when single posts are timed, and how many of them are not counted.
TURN = 25
UNCOUNTED = 5


@dataclass(frozen=True)
class Contender:
    """One way to score posts.

    Attributes:
        name: For the table.
        score: Scores posts; what it returns is not looked at.
        steps: Posts are given in multiples of this, so that no batch is half full.
    """

    name: str
    score: Score
    steps: int = 1


@dataclass
class Speed:
    """Posts per second of one contender, one figure per round."""

    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Posts per second."""
        return float(np.median(self.rates))

    def ratio(self, other: Speed) -> tuple[float, float, float]:
        """How many times as fast as another, within the same rounds: median, lowest, highest."""
        ratios = np.array(self.rates) / np.array(other.rates)
        return float(np.median(ratios)), float(ratios.min()), float(ratios.max())


@dataclass(frozen=True)
class Effort:
    """How long to measure, and by which clock.

    Attributes:
        rounds: Turns of each contender.
        seconds: About how long a turn takes.
        clock: Returns seconds.
    """

    rounds: int
    seconds: float
    clock: Clock = time.perf_counter


def cpu_clock() -> float:
    """Returns the processor time of this process, as if all its cores had worked on it all the time, in seconds.

    For machines that are never quiet: it does not count what neighbours take, and does not see idle cores.
    """
    return time.process_time() / available_cores()


def interleave(contenders: Sequence[Contender], posts: Sequence[Post], effort: Effort) -> dict[str, Speed]:
    """Lets contenders take turns; a first turn of each is not counted."""
    shares = {contender.name: _share(contender, posts, effort) for contender in contenders}
    speeds = {contender.name: Speed() for contender in contenders}
    for _ in range(effort.rounds):
        for contender in contenders:
            share = shares[contender.name]
            speeds[contender.name].rates.append(len(share) / _seconds(contender.score, share, effort.clock))
    return speeds


def latencies(
    contenders: Mapping[str, Callable[[Post], object]], posts: Sequence[Post], count: int
) -> dict[str, tuple[float, float]]:
    """Returns p50 and p95 in milliseconds of one post at a time.

    Contenders take turns of `TURN` posts. The first of a turn are not counted: the other has filled the caches,
    and the threads of OpenMP spin for some milliseconds after PyTorch is done with them.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(-(-count // (TURN - UNCOUNTED))):
        for name, score in contenders.items():
            taken = [_milliseconds(score, posts[(turn * TURN + place) % len(posts)]) for place in range(TURN)]
            times[name].extend(taken[UNCOUNTED:])
    return {name: (float(np.median(values)), float(np.quantile(values, 0.95))) for name, values in times.items()}


def _milliseconds(score: Callable[[Post], object], post: Post) -> float:
    start = time.perf_counter()
    score(post)
    return 1000 * (time.perf_counter() - start)


def _share(contender: Contender, posts: Sequence[Post], effort: Effort) -> list[Post]:
    """Returns as many posts as a contender scores in the given time; some more than once when there are too few."""
    trial = [posts[index % len(posts)] for index in range(max(FEWEST, contender.steps))]
    contender.score(trial)
    wanted = max(len(trial), round(effort.seconds * len(trial) / _seconds(contender.score, trial, effort.clock)))
    wanted = -(-wanted // contender.steps) * contender.steps
    return [posts[index % len(posts)] for index in range(wanted)]


def _seconds(score: Score, posts: Sequence[Post], clock: Clock) -> float:
    start = clock()
    score(posts)
    return clock() - start
