"""What one person has done: today's number of items, and recent answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select

from crossguard.review.store.schema import items, votes

DAY_S: Final = 86_400


def seen_today(db: Connection, person: int, now: float) -> int:
    """Returns how many items a person has answered since midnight UTC, undone answers included: they were seen."""
    midnight = now - now % DAY_S
    query = select(func.count(func.distinct(votes.c.item)))
    found: int = db.execute(query.where(votes.c.person == person, votes.c.decided_at >= midnight)).scalar_one()
    return found


def recent(db: Connection, person: int, limit: int = 50) -> Sequence[Any]:
    """Returns a person's answers that stand, the newest first, each with its item's text."""
    query = select(votes, items.c.text, items.c.external, items.c.source).join(items, items.c.id == votes.c.item)
    mine = (votes.c.person == person, votes.c.undone_at.is_(None))
    return db.execute(query.where(*mine).order_by(votes.c.id.desc()).limit(limit)).all()


def last_submission(db: Connection, person: int) -> Any:
    """Returns the newest answer of a person that stands (submission, kind, item), or None."""
    rows = recent(db, person, 1)
    return rows[0] if rows else None
