"""The outbox: what goes out is written in the transaction of the decision, and sent afterwards."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, SelectBase, func, insert, select, update

from crossguard.review.store.database import OUTBOX
from crossguard.review.store.schema import deliveries, items

ATTEMPTS: Final = 12
FIRST_WAIT_S: Final = 21.0
"""Doubled for each further attempt: the last one is half a day after the first."""
REOPENED: Final = "item.reopened"
_ADDED: Final = insert(deliveries)
_SUPERSEDED: Final = "a later message about the post took its place"
_GIVEN_UP: Final = (
    deliveries.c.next_at.is_(None)
    & deliveries.c.delivered_at.is_(None)
    & (deliveries.c.attempts > 0)
    & (deliveries.c.problem != _SUPERSEDED)
)


def put(
    tx: Connection,
    item: int,
    event: str,
    now: float,
    data: dict[str, Any],
    *,
    after: SelectBase | None = None,
) -> None:
    """Adds a message to be sent; its id stays the same over all attempts.

    Older ones about the item that did not arrive are no longer sent, nor those about the items `after` which this one
    has the last word, itself among them: after it they would say what is over.
    """
    if not tx.get_execution_options().get(OUTBOX, True):
        return
    # Never with "or": PostgreSQL would read all messages.
    about = deliveries.c.item == item if after is None else deliveries.c.item.in_(after)
    older = about & deliveries.c.delivered_at.is_(None)
    tx.execute(update(deliveries).where(older).values(next_at=None, problem=_SUPERSEDED))
    body = json.dumps({"type": event, "timestamp": now, "data": data}, ensure_ascii=False)
    name = f"msg_{secrets.token_hex(16)}"
    tx.execute(_ADDED, {"id": name, "item": item, "event": event, "body": body, "attempts": 0, "next_at": now})


def due(db: Connection, now: float) -> Sequence[Any]:
    """Returns messages to be sent now, the oldest first."""
    query = select(deliveries).where(deliveries.c.next_at <= now).order_by(deliveries.c.next_at).limit(20)
    return db.execute(query).all()


def reserve(tx: Connection, name: str, attempts: int, until: float) -> str | None:
    """Takes a message for one attempt, so that two processes do not send it at once; None when another did.

    Returns what it says by now: its post may have been edited since it was found to be due.
    """
    mine = (deliveries.c.id == name) & (deliveries.c.attempts == attempts) & deliveries.c.next_at.is_not(None)
    taken = update(deliveries).where(mine).values(attempts=attempts + 1, next_at=until)
    return tx.execute(taken.returning(deliveries.c.body)).scalar_one_or_none()


def delivered(tx: Connection, name: str, now: float) -> None:
    """Marks a message as received."""
    tx.execute(update(deliveries).where(deliveries.c.id == name).values(delivered_at=now, next_at=None, problem=""))


def failed(tx: Connection, name: str, attempts: int, now: float, problem: str) -> None:
    """Plans the next attempt, twice as late as the last one; gives up after `ATTEMPTS`."""
    next_at = None if attempts >= ATTEMPTS else now + FIRST_WAIT_S * 2.0 ** (attempts - 1)
    mine = (deliveries.c.id == name) & (deliveries.c.problem != _SUPERSEDED)
    tx.execute(update(deliveries).where(mine).values(next_at=next_at, problem=problem[:500]))


def withdraw(tx: Connection, item: int) -> bool:
    """Takes back what has not been tried yet; True when a message about the item may have gone out."""
    of_item = deliveries.c.item == item
    untried = of_item & (deliveries.c.attempts == 0)
    tx.execute(update(deliveries).where(untried).values(next_at=None, problem="undone before it was sent"))
    return tx.execute(select(deliveries.c.id).where(of_item, deliveries.c.attempts > 0).limit(1)).first() is not None


def send_last(tx: Connection, standing: Sequence[int], now: float, after: SelectBase) -> None:
    """Sends the last of the decisions that count again, on items of one version of a post, if it did not arrive.

    A message took its place, or would by its later time, and what that one said is over. So it is sent as one of now,
    in place of all others about the items `after` which it has the last word.
    """
    decided = select(deliveries).where(deliveries.c.item.in_(standing), deliveries.c.event != REOPENED)
    last = max(tx.execute(decided), key=lambda row: (json.loads(row.body)["timestamp"], row.item), default=None)
    if last is not None and last.delivered_at is None:
        put(tx, last.item, last.event, now, json.loads(last.body)["data"], after=after)


def rename(tx: Connection, version: Sequence[int], name: str) -> None:
    """Lets messages that did not arrive say that they are about an earlier version of a post, which has this name."""
    about = select(items.c.id).where(items.c.id.in_(version) | items.c.appeal_of.in_(version))
    unsent = (deliveries.c.item.in_(about), deliveries.c.delivered_at.is_(None))
    waiting = select(deliveries.c.id, deliveries.c.body).where(*unsent)
    for message in tx.execute(waiting.order_by(deliveries.c.id)).all():
        body = json.loads(message.body)
        data = body["data"]
        data |= {"version": name} | ({} if data["kind"] == "appeal" else {"id": name})
        renamed = json.dumps(body, ensure_ascii=False)
        tx.execute(update(deliveries).where(deliveries.c.id == message.id).values(body=renamed))


def state(db: Connection) -> Any:
    """Returns how many messages wait, how many were given up, and what went wrong last (waiting, given_up, problem)."""
    waits = deliveries.c.next_at.is_not(None)
    counts = (func.count().filter(waits).label("waiting"), func.count().filter(_GIVEN_UP).label("given_up"))
    told = select(deliveries.c.problem).where(waits | _GIVEN_UP, deliveries.c.attempts > 0)
    last = told.order_by(deliveries.c.next_at.desc().nulls_last(), deliveries.c.item.desc()).limit(1)
    return db.execute(select(*counts, last.scalar_subquery().label("problem"))).one()


def retry(tx: Connection, now: float) -> int:
    """Tries again what was given up; returns how many. Messages that are just being changed are passed over.

    One attempt stays counted: a message of which no answer came may have arrived, which `withdraw` must know.
    """
    free = select(deliveries.c.id).where(_GIVEN_UP).with_for_update(skip_locked=True)
    return tx.execute(update(deliveries).where(deliveries.c.id.in_(free)).values(attempts=1, next_at=now)).rowcount
