"""Deleting content: after a time, or of one author. Decisions and votes stay, as metrics rest on them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, select, update

from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.store.claims import DECIDED, ERASED, GOLD, NO_CLAIM, OPEN
from crossguard.review.store.items import lock
from crossguard.review.store.schema import DAY, images, items, likenesses, reports, votes

BATCH: Final = 1000
_GONE: Final = {"text": "", "image_text": "", "appeal_reason": "", "likeness": None}


def expire(tx: Connection, now: float, days: int) -> int:
    """Deletes the content of up to `BATCH` items that were decided more than `days` ago; returns how many."""
    old = (items.c.state == DECIDED) & (items.c.decided_at < now - days * DAY) & items.c.erased_at.is_(None)
    return _erase(tx, old, now)  # whose they were stays: a later request of the person must still find them


def erase_author(tx: Connection, author: str, now: float, source: str | None = None) -> int:
    """Deletes the content of all posts of an author, and what says whose they were; returns how many items.

    Raises:
        NotFoundError: None is known as theirs.
        ReviewError: Several sources have an author of this key, who may be different people, and none was named.
    """
    total, theirs = 0, items.c.author == author
    if source is not None:
        theirs &= items.c.source == source
    sources = list(tx.execute(select(items.c.source).where(theirs).distinct().order_by(items.c.source)).scalars())
    if not sources:
        of = f" in the source '{source}'" if source else ""
        raise NotFoundError(
            f"Nothing was erased: no item{of} has the author '{author}'. Keys are case-sensitive; an author who was "
            "erased before is no longer known."
        )
    if len(sources) > 1:
        raise ReviewError(f"Several sources have an author '{author}': {', '.join(sources)}. Say of which.")
    lock(tx, theirs)  # all of them, as batches would come in an order of their own
    while count := _erase(tx, theirs, now, author=None):
        total += count
    return total


def _erase(tx: Connection, which: ColumnElement[bool], now: float, **more: None) -> int:
    found = list(tx.execute(select(items.c.id).where(which).limit(BATCH)).scalars())
    if not found:
        return 0
    lock(tx, items.c.id.in_(found))
    tx.execute(update(items).where(items.c.id.in_(found)).values(**_GONE, **more, erased_at=now))
    # Nobody can judge what nobody can see, and a vote on nothing would count in the metrics.
    unseen = items.c.id.in_(found) & items.c.state.in_((OPEN, GOLD))
    tx.execute(update(items).where(unseen).values(state=ERASED, **NO_CLAIM))
    tx.execute(update(images).where(images.c.item.in_(found)).values(jpeg=None, hash=None, problem="deleted"))
    tx.execute(delete(likenesses).where(likenesses.c.item.in_(found)))
    tx.execute(update(reports).where(reports.c.item.in_(found)).values(reason=""))
    tx.execute(update(votes).where(votes.c.item.in_(found)).values(comment=""))
    return len(found)
