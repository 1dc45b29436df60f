"""How a person gets the next item: what they hold, a golden item now and then, else the first of the queue."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from crossguard.review.errors import ReviewError
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, workload
from crossguard.review.store.claims import Filters
from crossguard.review.store.people import Person

_CHANCE = random.SystemRandom()
MINUTE = 60.0


def take_next(
    tx: Connection,
    settings: ReviewSettings,
    person: Person,
    queue: str,
    *,
    order: str,
    filters: Filters,
    now: float,
    after: Any = None,
) -> int | None:
    """Claims an item for a person and returns its id; None when the queue holds nothing for them.

    Near-duplicates of `after`, the item that was just answered, come next, unless the order is random.

    Raises:
        ReviewError: They have seen as many items today as the settings allow; nothing is changed.
    """
    lease = settings.lease_minutes * MINUTE
    held: list[int] = [row.id for row in claims.held_by(tx, person.id, now) if row.queue == queue]
    if held:
        claims.renew(tx, held[0], person.id, now, lease)
        return held[0]
    refuse_over_limit(tx, settings, person, now)
    if _CHANCE.random() < settings.gold_rate:
        golden = claims.claim_next(
            tx, person.id, queue, now, lease, order=claims.RANDOM, filters=filters, state=claims.GOLD
        )
        if golden is not None:
            return golden
    if after is not None and after.likeness is not None and order != claims.RANDOM:
        like = replace(filters, likeness=after.likeness)
        near = claims.claim_next(tx, person.id, queue, now, lease, order=claims.OLDEST, filters=like)
        if near is not None:
            return near
    return claims.claim_next(tx, person.id, queue, now, lease, order=order, filters=filters)


def refuse_over_limit(db: Connection, settings: ReviewSettings, person: Person, now: float) -> None:
    """Ends a person's day.

    Raises:
        ReviewError: They have seen as many items today as the settings allow.
    """
    if settings.daily_limit and workload.seen_today(db, person.id, now) >= settings.daily_limit:
        raise ReviewError(f"You have seen {settings.daily_limit} items today, which is the limit. See you tomorrow.")
