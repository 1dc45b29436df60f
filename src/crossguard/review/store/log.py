"""The audit log: deliberate acts only, never claims. The database refuses to change or delete a row of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from crossguard.review.store.claims import OPEN
from crossguard.review.store.schema import items, log

COMMAND_LINE: Final = "command line"
"""Who acts in a terminal; nobody may have this name."""
_ADDED: Final = insert(log)


def record(tx: Connection, now: float, actor: str, act: str, item: int | None = None, **detail: Any) -> None:
    """Adds one act; `detail` must not hold content of posts, as it is never erased."""
    tx.execute(_ADDED, {"at": now, "actor": actor, "act": act, "item": item, "detail": detail})


def entries(db: Connection, *, item: int | None = None, before: int | None = None, limit: int = 100) -> Sequence[Any]:
    """Returns the newest acts first, of one item or of all; `judged_blind` while its item waits for blind votes."""
    blind = (items.c.blind & (items.c.state == OPEN)).label("judged_blind")
    query = select(log, blind).outerjoin(items, items.c.id == log.c.item).order_by(log.c.id.desc()).limit(limit)
    if item is not None:
        query = query.where(log.c.item == item)
    if before is not None:
        query = query.where(log.c.id < before)
    return db.execute(query).all()
