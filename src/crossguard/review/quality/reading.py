"""Reads from the database what the quality page measures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, select

from crossguard.decision.policy import Kind
from crossguard.review.console import kind_of
from crossguard.review.intake import AUDITED, FLAGGED, stratum_named
from crossguard.review.resolution import MAJORITY, TIE_BREAK, Answer
from crossguard.review.store.claims import DECIDED, FEED, OPEN
from crossguard.review.store.counting import SCORED_BY, scored_by
from crossguard.review.store.items import not_demo
from crossguard.review.store.schema import DAY, HOUR, feed, items, people, votes
from crossguard.review.store.votes import ESCALATE, SKIP, VOTE

NEWEST: Final = 2000
AGES: Final = (("< 1 h", 1.0), ("< 6 h", 6.0), ("< 1 d", 24.0), ("< 3 d", 72.0), ("< 7 d", 168.0), ("older", 1e9))
"""Names of the ages of waiting items, and the hours up to which each goes."""

Model: TypeAlias = tuple[str, str, str, str]
"""Name and version of a model and of the policy under which it scored."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decided item as metrics see it."""

    text: str  # what the author wrote; empty when it was deleted
    stratum: str
    inclusion: float  # probability of having been taken into the console
    truth: dict[str, float]  # label -> mean of the votes, in [0, 1]
    scores: dict[str, tuple[float, float, bool]]  # label -> (score, threshold, flagged)
    model: Model
    item: int
    kind: Kind
    moved: bool = False  # whether another policy has put it into another stratum than its own did

    @property
    def hateful(self) -> bool:
        """Whether more people say yes than no to one of its labels."""
        return any(value > MAJORITY for value in self.truth.values())

    @property
    def harmless(self) -> bool:
        """Whether more people say no than yes to each of its labels; where one is left open, it is neither."""
        return all(value < MAJORITY for value in self.truth.values())


class Sample(NamedTuple):
    """Decided posts of a stratum that were taken with the same probability."""

    inclusion: float
    checked: int
    hateful: int  # those of them that people found hateful
    waiting: int = 0  # those that were taken, too, and that nobody has decided yet


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the feed, by `stratum_of`."""

    name: str
    posts: int  # all that came by
    samples: tuple[Sample, ...] = ()  # those that people decided; several where the audit's rate was changed

    @property
    def flagged(self) -> bool:
        """Whether the model asked for a person."""
        return self.name in FLAGGED

    @property
    def checked(self) -> int:
        """How many people decided."""
        return sum(sample.checked for sample in self.samples)

    @property
    def hateful(self) -> int:
        """How many of those people found hateful."""
        return sum(sample.hateful for sample in self.samples)


def decided(db: Connection, newest: int | None = NEWEST) -> list[Decided]:
    """Returns the newest decided items that the model scored, the oldest first; no appeals, no golden items."""
    of_feed = (items.c.kind.in_(FEED), not_demo(db, items.c.source))
    wanted = (items.c.state == DECIDED, *of_feed, items.c.score.is_not(None))
    columns = (items.c.id, items.c.text, items.c.stratum, items.c.inclusion, items.c.outcome, items.c.decision)
    rows = db.execute(select(*columns).where(*wanted).order_by(items.c.decided_at.desc()).limit(newest)).all()
    return [_decided(row) for row in reversed(rows)]


def _decided(row: Any) -> Decided:
    record = row.decision
    scores = {name: (found["score"], found["threshold"], found["flagged"]) for name, found in record["labels"].items()}
    came_as = stratum_named(record["action"], ((score, threshold) for score, threshold, _ in scores.values()))
    truth, model, kind = row.outcome["labels"], scored_by(record), kind_of(record)
    return Decided(row.text, row.stratum, row.inclusion, truth, scores, model, row.id, kind, came_as != row.stratum)


def strata(db: Connection, model: Model | None = None) -> list[Stratum]:
    """Returns the strata of the feed with what people found in them; with a model, of what that one scored.

    The feed is counted whoever scored it, so where others did, too, its part is what the items stand for that it took;
    all there is, in a stratum of which it took none.
    """
    of_feed = [items.c.kind.in_(FEED), not_demo(db, items.c.source)]
    if model is not None and not _others_scored(db, model, *of_feed):
        model = None
    if model is not None:
        of_feed.append(_scored_by(model))
    decided = items.c.state == DECIDED
    checked, hateful = (func.sum(case((which, 1), else_=0)) for which in (decided, decided & items.c.hateful))
    by = (items.c.stratum, items.c.inclusion)
    samples = select(*by, checked, hateful, func.count() - checked).where(*of_feed).group_by(*by).order_by(*by)
    found: dict[str, list[Sample]] = defaultdict(list)
    for name, *sample in db.execute(samples):
        found[name].append(Sample(*sample))
    posts = _posts(db)
    if model is not None:
        posts |= {name: _stands_for(taken) for name, taken in found.items()}
    told = {name: tuple(sample for sample in found[name] if sample.checked) for name in (*FLAGGED, *AUDITED)}
    return [Stratum(name, posts.get(name, 0), samples) for name, samples in told.items() if name in posts or samples]


def _posts(db: Connection) -> dict[str, int]:
    came = select(feed.c.stratum, func.sum(feed.c.posts)).where(not_demo(db, feed.c.source))
    return numbers(db, came.group_by(feed.c.stratum))


def _stands_for(samples: Sequence[Sample]) -> int:
    return round(sum((sample.checked + sample.waiting) / sample.inclusion for sample in samples))


def _scored_by(model: Model) -> ColumnElement[bool]:
    named = zip(SCORED_BY, model, strict=True)
    return and_(*(items.c.decision[key].as_string() == value for key, value in named))


def _others_scored(db: Connection, model: Model, *which: ColumnElement[bool]) -> bool:
    others = select(literal(1)).where(*which, items.c.score.is_not(None), ~_scored_by(model))
    return db.execute(others.limit(1)).first() is not None


def flagged_waiting(db: Connection, model: Model | None = None) -> int:
    """Returns how many flagged posts of the feed nobody has decided yet; with a model, of those that it scored."""
    wanted = [items.c.state == OPEN, items.c.kind.in_(FEED), items.c.stratum.in_(FLAGGED), not_demo(db, items.c.source)]
    if model is not None:
        wanted += [items.c.score.is_not(None), _scored_by(model)]
    found: int = db.execute(select(func.count()).where(*wanted)).scalar_one()
    return found


def answers_by_label(db: Connection, labels: Sequence[str]) -> dict[str, dict[int, dict[int, bool]]]:
    """Returns label -> item -> person -> yes or no, for items with several votes; unsure answers are left out.

    The first two votes on an item count: there is a third only where those two disagree. Who had seen what the model
    says of a blind item tells nothing, nor does a golden item: any number of people see it with what the model says.
    """
    several = select(votes.c.item).where(counts()).group_by(votes.c.item).having(func.count() > 1).subquery()
    columns = (votes.c.item, votes.c.person, votes.c.labels, _as_asked().label("as_asked"))
    query = select(*columns).join(items, items.c.id == votes.c.item)
    found: dict[str, dict[int, dict[int, bool]]] = {label: defaultdict(dict) for label in labels}
    voters: dict[int, set[int]] = defaultdict(set)
    wanted = (counts(), items.c.kind != "gold", votes.c.item.in_(select(several)))
    for item, person, given, as_asked in db.execute(query.where(*wanted).order_by(votes.c.id)):
        voters[item].add(person)
        if len(voters[item]) >= TIE_BREAK or not as_asked:
            continue
        for label in labels:
            if given.get(label) in {Answer.YES, Answer.NO}:
                found[label][item][person] = given[label] == Answer.YES
    return found


def golden_pairs(db: Connection) -> dict[str, dict[int, dict[int, list[tuple[bool, bool]]]]]:
    """Returns label -> person -> golden item -> (their answer, the known answer)."""
    columns = (votes.c.item, votes.c.person, votes.c.labels, items.c.expected)
    query = select(*columns).join(items, items.c.id == votes.c.item)
    found: dict[str, dict[int, dict[int, list[tuple[bool, bool]]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    wanted = (counts(), _as_asked(), items.c.kind == "gold")
    for item, person, given, expected in db.execute(query.where(*wanted).order_by(votes.c.id)):
        for label, known in expected["labels"].items():
            if given.get(label) in {Answer.YES, Answer.NO}:
                found[label][person][item].append((given[label] == Answer.YES, known == Answer.YES))
    return found


def workloads(db: Connection, now: float) -> Sequence[Any]:
    """Returns what everybody who answered anything has done: person, name, decided, skipped, escalated, today."""
    kinds = {"decided": votes.c.kind == VOTE, "skipped": votes.c.kind == SKIP, "escalated": votes.c.kind == ESCALATE}
    which = kinds | {"today": votes.c.decided_at >= now - now % DAY}
    counts = [func.count().filter(condition).label(name) for name, condition in which.items()]
    query = select(people.c.id.label("person"), people.c.name, *counts).join(votes, votes.c.person == people.c.id)
    query = query.where(votes.c.undone_at.is_(None)).group_by(people.c.id, people.c.name)
    return db.execute(query.order_by(people.c.name)).all()


def seconds_of(db: Connection, person: int) -> float | None:
    """Returns the median time from claim to decision of a person's newest 200 pages."""
    took = func.max(votes.c.decided_at - votes.c.claimed_at)  # what was decided along with an item took no time
    query = select(took).where(votes.c.person == person, counts()).group_by(votes.c.submission)
    found = list(db.execute(query.order_by(func.max(votes.c.id).desc()).limit(200)).scalars())
    return median(found) if found else None


def backlog(db: Connection, now: float) -> list[tuple[str, int]]:
    """Returns how many open items wait since when, the newest first."""
    age = (now - items.c.received_at) / HOUR
    edges = [0.0, *(hours for _, hours in AGES)]
    parts = [func.count().filter(age >= low, age < high) for low, high in pairwise(edges)]
    counts = db.execute(select(*parts).where(items.c.state == OPEN)).one()
    return [(name, count) for (name, _), count in zip(AGES, counts, strict=True)]


def numbers(db: Connection, query: Any) -> dict[Any, int]:
    """Returns the numbers that a query counts or sums, by what it groups them by."""
    return {key: int(number) for key, number in db.execute(query)}


def counts() -> ColumnElement[bool]:
    """The condition that a vote is an answer that was not taken back."""
    return (votes.c.kind == VOTE) & votes.c.undone_at.is_(None)


def _as_asked() -> ColumnElement[bool]:
    """The condition that a vote on an item that is judged blind was blind."""
    return votes.c.blind | items.c.blind.is_(False)
