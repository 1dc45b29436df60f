"""What one person has done: today's number of items, and recent answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, func, select, tuple_

from crossguard.review.store.schema import DAY, items, votes

Place: TypeAlias = tuple[float, int]
_SAME: Final = votes.alias()
_TOGETHER: Final = (
    select(func.count()).where(_SAME.c.submission == votes.c.submission).scalar_subquery().label("together")
)
_RECENT: Final = (
    select(votes, items.c.text, items.c.image_text, _TOGETHER)
    .join(items, items.c.id == votes.c.item)
    .where(votes.c.person == bindparam("person"), votes.c.undone_at.is_(None))
    .order_by(votes.c.decided_at.desc(), votes.c.id.desc())
    .limit(bindparam("limit"))
)


def seen_today(db: Connection, person: int, now: float) -> int:
    """Returns how many items a person has answered since midnight UTC, undone answers included: they were seen."""
    midnight = now - now % DAY
    query = select(func.count(func.distinct(votes.c.item)))
    found: int = db.execute(query.where(votes.c.person == person, votes.c.decided_at >= midnight)).scalar_one()
    return found


def recent(db: Connection, person: int, *, before: Place | None = None, limit: int = 50) -> Sequence[Any]:
    """Returns a person's answers that stand, the newest first: each with its item's words.

    `together` is the number of items that were answered at once; `before`, `decided_at` and `id` of the answer after
    which to go on.
    """
    query = _RECENT if before is None else _RECENT.where(tuple_(votes.c.decided_at, votes.c.id) < tuple_(*before))
    return db.execute(query, {"person": person, "limit": limit}).all()
