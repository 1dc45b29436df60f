"""Claims: an item is one person's until a lease ends. Two people never hold the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from crossguard.review.store.schema import items, votes

OPEN, DECIDED, GOLD = "open", "decided", "gold"
URGENT, UNCERTAIN, RANDOM, OLDEST = "urgent", "uncertain", "random", "oldest"
ORDERS: Final = {
    URGENT: (items.c.urgency.desc(), items.c.id),
    UNCERTAIN: (items.c.uncertainty.desc(), items.c.id),
    RANDOM: (items.c.shuffle, items.c.id),
    OLDEST: (items.c.id,),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which items of a queue; None is any.

    Attributes:
        label: Flagged by the model for this label.
        kind: flag, report, audit or appeal.
        source: Where the post comes from.
        language: As the source told.
        author: The source's key of the author.
        score_from: Least highest score.
        score_to: Greatest highest score.
        since: Received at or after, seconds since 1970.
        until: Received before.
        likeness: Key of near-duplicates.
    """

    label: str | None = None
    kind: str | None = None
    source: str | None = None
    language: str | None = None
    author: str | None = None
    score_from: float | None = None
    score_to: float | None = None
    since: float | None = None
    until: float | None = None
    likeness: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns what a query must add to its WHERE."""
        found = [
            items.c[name] == value
            for name in ("kind", "source", "language", "author", "likeness")
            if (value := getattr(self, name)) is not None
        ]
        if self.label is not None:
            found.append(items.c.flagged.contains(f" {self.label} ", autoescape=True))
        if self.score_from is not None:
            found.append(items.c.score >= self.score_from)
        if self.score_to is not None:
            found.append(items.c.score <= self.score_to)
        if self.since is not None:
            found.append(items.c.received_at >= self.since)
        if self.until is not None:
            found.append(items.c.received_at < self.until)
        return found


def held_by(db: Connection, person: int, now: float) -> Sequence[Any]:
    """Returns the items (id, queue, claim_expires_at) that a person holds."""
    query = select(items.c.id, items.c.queue, items.c.claim_expires_at)
    return db.execute(query.where(items.c.claimed_by == person, items.c.claim_expires_at > now)).all()


def claim_next(
    tx: Connection,
    person: int,
    queue: str,
    now: float,
    lease_s: float,
    *,
    order: str = URGENT,
    filters: Filters | None = None,
    state: str = OPEN,
) -> int | None:
    """Claims the first item of a queue that the person may decide, and returns its id; None when there is none.

    Items that the person has decided, skipped or escalated do not come again; nor do appeals against own decisions.
    """
    conditions = (filters or Filters()).conditions()
    pick = (
        select(items.c.id)
        .where(items.c.queue == queue, items.c.state == state, free_for(person, now), *conditions)
        .order_by(*ORDERS[order])
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL: rows that another claim is taking are passed over
    )
    return _take(tx, items.c.id == pick.scalar_subquery(), person, now, lease_s)


def claim(tx: Connection, item: int, person: int, now: float, lease_s: float) -> bool:
    """Claims one item; False when another holds it, or the person must not decide it. Renews an own claim."""
    mine = and_(items.c.claimed_by == person, items.c.state.in_((OPEN, GOLD)))
    if renew(tx, item, person, now, lease_s):
        return True
    condition = and_(items.c.id == item, or_(mine, and_(items.c.state == OPEN, free_for(person, now))))
    return _take(tx, condition, person, now, lease_s) is not None


def renew(tx: Connection, item: int, person: int, now: float, lease_s: float) -> bool:
    """Lengthens a claim that has not ended; False when it has."""
    held = and_(items.c.id == item, items.c.claimed_by == person, items.c.claim_expires_at > now)
    return tx.execute(update(items).where(held).values(claim_expires_at=now + lease_s)).rowcount > 0


def release(tx: Connection, item: int, person: int) -> None:
    """Gives an item back."""
    held = and_(items.c.id == item, items.c.claimed_by == person)
    tx.execute(update(items).where(held).values(claimed_by=None, claimed_at=None, claim_expires_at=None))


def free_for(person: int, now: float) -> ColumnElement[bool]:
    """The condition that an item is not another's, and has not been before this person."""
    before = and_(
        votes.c.item.in_((items.c.id, items.c.appeal_of)), votes.c.person == person, votes.c.undone_at.is_(None)
    )
    unclaimed = or_(items.c.claim_expires_at.is_(None), items.c.claim_expires_at <= now)
    return and_(unclaimed, ~exists().where(before))


def _take(tx: Connection, which: ColumnElement[bool], person: int, now: float, lease_s: float) -> int | None:
    taken = {"claimed_by": person, "claimed_at": now, "claim_expires_at": now + lease_s}
    unclaimed = or_(items.c.claim_expires_at.is_(None), items.c.claim_expires_at <= now)
    found: int | None = tx.execute(
        update(items).where(which, unclaimed).values(**taken).returning(items.c.id)
    ).scalar_one_or_none()
    return found
