"""Lists: what waits in the queues, counted and in pages; what waits beside an item; what a person has answered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, or_, select, tuple_

from crossguard.review.store.claims import OPEN, ORDERS, Filters, conditions, free_for, ordering, values_of
from crossguard.review.store.schema import DAY, images, items, votes

MOST_BESIDE: Final = 100
# Statements are built once: to build one takes longer than to run it.
_FIRST_IMAGES: Final = (
    select(images.c.item, func.min(images.c.id))
    .where(images.c.item.in_(bindparam("items", expanding=True)), images.c.hash.is_not(None))
    .group_by(images.c.item)
)
_GROUPS: Final = (
    select(items.c.likeness, func.count())
    .where(
        items.c.likeness.in_(bindparam("keys", expanding=True)),
        items.c.queue == bindparam("queue"),
        items.c.state == OPEN,
    )
    .group_by(items.c.likeness)
)
_FREE: Final = (
    select(items.c.id, items.c.text, items.c.image_text, items.c.appeal_reason)
    .where(
        items.c.queue == bindparam("queue"),
        items.c.state == OPEN,
        items.c.id != bindparam("item"),
        items.c.blind.is_(False),
        free_for(bindparam("person"), bindparam("now")),
    )
    .order_by(items.c.id)
    .limit(MOST_BESIDE)
)
# Apart, as each has an index: with "or" between them, all that waits would be read.
_NEAR_DUPLICATES: Final = _FREE.where(items.c.likeness == bindparam("likeness"))
_OTHER_APPEALS: Final = _FREE.where(
    items.c.source == bindparam("source"), items.c.kind == "appeal", items.c.appeal_of == bindparam("appeal_of")
)
_SAME: Final = votes.alias()
_TOGETHER: Final = (
    select(func.count())
    .where(_SAME.c.submission == votes.c.submission, _SAME.c.undone_at.is_(None))
    .scalar_subquery()
    .label("together")
)
_RECENT: Final = (
    select(votes, items.c.text, items.c.image_text, items.c.queue.label("now_in"), _TOGETHER)
    .join(items, items.c.id == votes.c.item)
    .where(votes.c.person == bindparam("person"), votes.c.undone_at.is_(None))
    .order_by(votes.c.decided_at.desc(), votes.c.id.desc())
    .limit(bindparam("limit"))
)
_LISTED: Final = [
    items.c[name]
    for name in (
        "id", "text", "image_text", "kind", "reports", "blind", "score", "action", "label", "likeness", "source",
        "language", "received_at", "claimed_by", "claim_expires_at",
    )
]  # fmt: skip


def waiting(db: Connection, *more: str) -> dict[str, tuple[int, float]]:
    """Returns the number of open items, and of those in these states, per queue, and when the oldest was received."""
    query = select(items.c.queue, func.count(), func.min(items.c.received_at))
    rows = db.execute(query.where(items.c.state.in_((OPEN, *more))).group_by(items.c.queue))
    return {queue: (count, oldest) for queue, count, oldest in rows}


def page(
    db: Connection, queue: str, filters: Filters, order: str, *, limit: int, after: tuple[float, int] | None = None
) -> tuple[Sequence[Any], tuple[float, int] | None]:
    """Returns open items of a queue in an order, and where the next page goes on; None when there are no more.

    `after` is what the page before returned; items that were decided meanwhile move nothing.
    """
    values = values_of(filters) | {"queue": queue, "limit": limit + 1}
    if after is not None:
        values |= {"value": after[0], "last": after[1]}
    rows = db.execute(_page(order, tuple(filters), after is not None), values).all()
    more = (rows[limit - 1].place, rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], more


@cache
def _page(order: str, filters: tuple[str, ...], further: bool) -> Select[Any]:
    column, descending = ORDERS[order]
    value: BindParameter[Any] = bindparam("value")
    last: BindParameter[Any] = bindparam("last")
    beyond = column < value if descending else column > value
    at = column <= value if descending else column >= value  # a range that an index finds; the OR is none
    waits = [items.c.queue == bindparam("queue"), items.c.state == OPEN, *conditions(filters)]
    waits += [at, or_(beyond, and_(column == value, items.c.id > last))] if further else []
    found = select(items.c.id).where(*waits).order_by(*ordering(order)).limit(bindparam("limit")).subquery()
    shown = (*_LISTED, column.label("place"))
    return select(*shown).join(found, found.c.id == items.c.id).order_by(*ordering(order))


def alike(db: Connection, queue: str, keys: set[str | None]) -> dict[str, int]:
    """Returns how many items of a queue wait in each of these groups of near-duplicates."""
    found = db.execute(_GROUPS, {"keys": sorted(filter(None, keys)), "queue": queue})
    return {row[0]: row[1] for row in found}


def first_images(db: Connection, wanted: Sequence[int]) -> dict[int, int]:
    """Returns the first image of each of these items that has one."""
    found = db.execute(_FIRST_IMAGES, {"items": list(wanted)}) if wanted else ()
    return {row[0]: row[1] for row in found}


def beside(db: Connection, row: Any, person: int, now: float) -> Sequence[Any]:
    """Returns what waits and the person may decide along with an item: near-duplicates; of an appeal, other appeals.

    Each has id, text, image_text and appeal_reason. Items that are judged blind are left out: each of those is to be
    judged by itself.
    """
    if row.blind:
        return []
    asked = {"item": row.id, "queue": row.queue, "person": person, "now": now}
    if row.appeal_of is not None:
        return db.execute(_OTHER_APPEALS, asked | {"source": row.source, "appeal_of": row.appeal_of}).all()
    return db.execute(_NEAR_DUPLICATES, asked | {"likeness": row.likeness}).all()


def seen_today(db: Connection, person: int, now: float) -> int:
    """Returns how many items a person has answered since midnight UTC, undone answers included: they were seen."""
    midnight = now - now % DAY
    query = select(func.count(func.distinct(votes.c.item)))
    found: int = db.execute(query.where(votes.c.person == person, votes.c.decided_at >= midnight)).scalar_one()
    return found


def recent(db: Connection, person: int, *, before: tuple[float, int] | None = None, limit: int = 50) -> Sequence[Any]:
    """Returns a person's answers that stand, the newest first: each with its item's words.

    `now_in` is the queue of the item by now, which the person may not see; `together` is the number of items that were
    answered at once, without what was taken back; `before`, `decided_at` and `id` of the answer after which to go on.
    """
    query = _RECENT if before is None else _RECENT.where(tuple_(votes.c.decided_at, votes.c.id) < tuple_(*before))
    return db.execute(query, {"person": person, "limit": limit}).all()
