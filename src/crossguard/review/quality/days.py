"""What the quality page draws per day: what came and was decided, and what the model said of the feed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from crossguard.evaluation.estimates import Estimate
from crossguard.review.intake import AUDITED, FAILED, FLAGGED
from crossguard.review.quality.model import LEAST_PART
from crossguard.review.quality.reading import counts, numbers
from crossguard.review.store.items import not_demo
from crossguard.review.store.schema import DAY, feed, items, votes

DAYS: Final = 14
_FLAGGED: Final = tuple(name for name in FLAGGED if name != FAILED)
_SCORED: Final = (*_FLAGGED, *AUDITED)
_NO_POSTS: Final = Estimate.undefined("no posts")


def per_day(db: Connection, now: float) -> dict[str, list[tuple[int, Any]]]:
    """Returns name -> (day since 1970, value) of the last days, the oldest first.

    `came` and `decided` count items and votes, without the demo and the copies that golden items are; `flagged`
    estimates the part of the feed's posts that was flagged, and `score` the mean of their highest score.
    """
    today = int(now // DAY)
    first = today - DAYS + 1
    of_posts = (items.c.kind != "gold", not_demo(db, items.c.source))
    came = (items.c.received_at >= first * DAY, *of_posts)
    day_came = func.floor(items.c.received_at / DAY)
    went = (counts(), votes.c.decided_at >= first * DAY, *of_posts)
    day_went = func.floor(votes.c.decided_at / DAY)
    decided = select(day_went, func.count()).join(items, items.c.id == votes.c.item).where(*went).group_by(day_went)
    posts = _posts(db, first)
    found: tuple[tuple[str, dict[int, Any], Any], ...] = (
        ("came", numbers(db, select(day_came, func.count()).where(*came).group_by(day_came)), 0),
        ("decided", numbers(db, decided), 0),
        ("flagged", {day: _flagged(of) for day, of in posts.items()}, _NO_POSTS),
        ("score", _mean_scores(db, posts, first), _NO_POSTS),
    )
    return {name: [(day, of.get(day, rest)) for day in range(first, today + 1)] for name, of, rest in found}


def _posts(db: Connection, first: int) -> dict[int, dict[str, int]]:
    """Returns day -> stratum -> posts of the feed."""
    which = (feed.c.day >= first, not_demo(db, feed.c.source))
    query = select(feed.c.day, feed.c.stratum, func.sum(feed.c.posts)).where(*which)
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for day, stratum, posts in db.execute(query.group_by(feed.c.day, feed.c.stratum)):
        found[day][stratum] = int(posts)
    return found


def _flagged(posts: Mapping[str, int]) -> Estimate:
    return Estimate.share(sum(posts.get(name, 0) for name in _FLAGGED), sum(posts.values()))


class _Scores(NamedTuple):
    """Sums over the items of a stratum on one day, each weighted by the inverse of its inclusion."""

    drawn: int  # items
    weights: float
    squares: float  # of the weights
    scores: float  # each times its weight
    score_squares: float

    @property
    def mean(self) -> float:
        """That of J. Hájek (1971), as the audit's rate may have changed during the day."""
        return self.scores / self.weights

    def variance(self, posts: int) -> float:
        """Of the mean, where the items were drawn from so many posts; none where they are all of them.

        One more item is added, of the greatest variance that scores in [0, 1] with this mean can have: the rest of the
        posts need not be like the few that were drawn.
        """
        effective = self.weights**2 / self.squares  # Kish's sample size
        own = max(self.score_squares / self.weights - self.mean**2, 0.0)
        return (own + self.mean * (1 - self.mean) / effective) / effective * (1 - self.drawn / posts)


def _mean_scores(db: Connection, posts: Mapping[int, Mapping[str, int]], first: int) -> dict[int, Estimate]:
    weight, score, day = 1 / items.c.inclusion, items.c.score, func.floor(items.c.received_at / DAY)
    sums = map(func.sum, (weight, weight * weight, weight * score, weight * score * score))
    wanted = (
        items.c.received_at >= first * DAY,
        items.c.score.is_not(None),
        items.c.stratum.in_(_SCORED),
        not_demo(db, items.c.source),
    )
    query = select(day, items.c.stratum, func.count(), *sums).where(*wanted).group_by(day, items.c.stratum)
    found: dict[int, dict[str, _Scores]] = defaultdict(dict)
    for day_, stratum, *values in db.execute(query):
        found[int(day_)][stratum] = _Scores(*values)
    return {day: _mean_score(of, found[day]) for day, of in posts.items()}


def _mean_score(posts: Mapping[str, int], found: Mapping[str, _Scores]) -> Estimate:
    """Returns the mean of the strata's means by their known numbers of posts, with a normal interval.

    A stratum without an item may hold `LEAST_PART` of the posts at most; the mean of the others says nothing about it.
    """
    sizes = {name: max(posts.get(name, 0), scores.drawn) for name, scores in found.items()}
    least = LEAST_PART * sum(posts.get(name, 0) for name in _SCORED)
    unknown = [name for name in _SCORED if name not in found and posts.get(name, 0) > least]
    if unknown:
        return Estimate.undefined(f"nothing was taken in from {', '.join(unknown)}")
    total = sum(sizes.values())
    if not total:
        return _NO_POSTS
    mean = sum(size * found[name].mean for name, size in sizes.items()) / total
    half = 1.96 * math.sqrt(sum(size**2 * found[name].variance(size) for name, size in sizes.items())) / total
    return Estimate(
        mean, max(mean - half, 0.0), min(mean + half, 1.0), count=sum(scores.drawn for scores in found.values())
    )
