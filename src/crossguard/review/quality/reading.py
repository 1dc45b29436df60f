"""Reads from the database what the quality page measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, case, func, select

from crossguard.decision.policy import Kind
from crossguard.review.intake import AUDITED, FLAGGED
from crossguard.review.quality.recall import Stratum
from crossguard.review.resolution import MAJORITY, Answer
from crossguard.review.store.claims import DECIDED
from crossguard.review.store.schema import feed, items, people, votes
from crossguard.review.store.votes import ESCALATE, SKIP, VOTE

NEWEST: Final = 2000
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Decided:
    """A decided item as the figures see it.

    Attributes:
        text: What the author wrote; empty when it was deleted.
        stratum: Of the feed.
        inclusion: Probability of having been taken into the console.
        truth: Label -> mean of the votes, in [0, 1].
        scores: Label -> (score, threshold, flagged).
        model: Name and version of model and policy.
        item: Its number.
        kind: What it has: text, image or both.
    """

    text: str
    stratum: str
    inclusion: float
    truth: dict[str, float]
    scores: dict[str, tuple[float, float, bool]]
    model: tuple[str, str, str, str]
    item: int
    kind: Kind

    @property
    def hateful(self) -> bool:
        """Whether at least half of the votes give it a label."""
        return any(value >= MAJORITY for value in self.truth.values())


def decided(db: Connection, newest: int | None = NEWEST) -> list[Decided]:
    """Returns the newest decided items that the model scored, the oldest first; no appeals, no golden items."""
    wanted = (items.c.state == DECIDED, items.c.kind.in_(("flag", "audit")), items.c.score.is_not(None))
    columns = (items.c.id, items.c.text, items.c.stratum, items.c.inclusion, items.c.outcome, items.c.decision)
    rows = db.execute(select(*columns).where(*wanted).order_by(items.c.decided_at.desc()).limit(newest)).all()
    return [_decided(row) for row in reversed(rows)]


def _decided(row: Any) -> Decided:
    record = row.decision
    scores = {name: (found["score"], found["threshold"], found["flagged"]) for name, found in record["labels"].items()}
    model = (record["model"], record["model_version"], record["policy"], record["policy_version"])
    text = record["modality_weights"]["text"]
    kind: Kind = "text" if text == 1 else "image" if text == 0 else "both"
    return Decided(row.text, row.stratum, row.inclusion, row.outcome["labels"], scores, model, row.id, kind)


def strata(db: Connection) -> list[Stratum]:
    """Returns the strata of the feed with what people found in them."""
    posts = _per(db, select(feed.c.stratum, func.sum(feed.c.posts)).group_by(feed.c.stratum))
    hateful = func.sum(case((items.c.hateful, 1), else_=0))
    wanted = (items.c.state == DECIDED, items.c.kind.in_(("flag", "audit")))
    rows = db.execute(select(items.c.stratum, func.count(), hateful).where(*wanted).group_by(items.c.stratum))
    found = {name: (checked, yes) for name, checked, yes in rows}
    return [
        Stratum(name, name in FLAGGED, int(posts.get(name, 0)), *found.get(name, (0, 0)))
        for name in (*FLAGGED, *AUDITED)
        if name in posts or name in found
    ]


def answers_by_label(db: Connection, labels: Sequence[str]) -> dict[str, dict[int, dict[int, bool]]]:
    """Returns label -> item -> person -> yes or no, for items with several votes; unsure answers are left out."""
    several = select(votes.c.item).where(_counts()).group_by(votes.c.item).having(func.count() > 1).subquery()
    query = select(votes.c.item, votes.c.person, votes.c.labels).where(_counts(), votes.c.item.in_(select(several)))
    found: dict[str, dict[int, dict[int, bool]]] = {label: defaultdict(dict) for label in labels}
    for item, person, given in db.execute(query.order_by(votes.c.id)):
        for label in labels:
            if given.get(label) in {Answer.YES, Answer.NO}:
                found[label][item][person] = given[label] == Answer.YES
    return found


def golden_pairs(db: Connection) -> dict[int, list[tuple[bool, bool]]]:
    """Returns person -> (their answer, the known answer), over all labels of golden items."""
    query = select(votes.c.person, votes.c.labels, items.c.expected).join(items, items.c.id == votes.c.item)
    found: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for person, given, expected in db.execute(query.where(_counts(), items.c.kind == "gold").order_by(votes.c.id)):
        for label, known in expected["labels"].items():
            if given.get(label) in {Answer.YES, Answer.NO}:
                found[person].append((given[label] == Answer.YES, known == Answer.YES))
    return found


@dataclass(frozen=True, slots=True)
class Workload:
    """What one person has done."""

    person: int
    name: str
    decided: int
    skipped: int
    escalated: int
    seconds: float | None
    today: int


def workloads(db: Connection, now: float) -> list[Workload]:
    """Returns everybody who answered anything; `seconds` is the median from claim to decision of the last 200."""
    midnight = now - now % DAY_S
    kinds = [func.sum(case((votes.c.kind == kind, 1), else_=0)) for kind in (VOTE, SKIP, ESCALATE)]
    today = func.sum(case((votes.c.decided_at >= midnight, 1), else_=0))
    query = select(people.c.id, people.c.name, *kinds, today).join(votes, votes.c.person == people.c.id)
    rows = db.execute(
        query.where(votes.c.undone_at.is_(None)).group_by(people.c.id, people.c.name).order_by(people.c.name)
    )
    return [Workload(row[0], row[1], row[2], row[3], row[4], _seconds(db, row[0]), row[5]) for row in rows.all()]


def _seconds(db: Connection, person: int) -> float | None:
    query = select(votes.c.decided_at - votes.c.claimed_at).where(votes.c.person == person, _counts())
    found = list(db.execute(query.order_by(votes.c.id.desc()).limit(200)).scalars())
    return median(found) if found else None


def per_day(db: Connection, now: float, days: int = 14) -> list[tuple[int, int, int, int]]:
    """Returns (day, items in, items decided, posts of the feed that were flagged per 10,000) for the last days."""
    today = int(now // DAY_S)
    first = today - days + 1
    day_of = func.floor(items.c.received_at / DAY_S)
    came = _per(db, select(day_of, func.count()).where(items.c.received_at >= first * DAY_S).group_by(day_of))
    done = func.floor(votes.c.decided_at / DAY_S)
    went = _per(db, select(done, func.count()).where(_counts(), votes.c.decided_at >= first * DAY_S).group_by(done))
    every = _per(db, select(feed.c.day, func.sum(feed.c.posts)).where(feed.c.day >= first).group_by(feed.c.day))
    flagged_only = (feed.c.day >= first, feed.c.stratum.in_(("review", "block")))
    flagged = _per(db, select(feed.c.day, func.sum(feed.c.posts)).where(*flagged_only).group_by(feed.c.day))
    rates = {day: round(10_000 * flagged.get(day, 0) / posts) for day, posts in every.items() if posts}
    return [(day, came.get(day, 0), went.get(day, 0), rates.get(day, 0)) for day in range(first, today + 1)]


def _per(db: Connection, query: Any) -> dict[Any, int]:
    return {key: int(count) for key, count in db.execute(query)}


def _counts() -> Any:
    return (votes.c.kind == VOTE) & votes.c.undone_at.is_(None)
