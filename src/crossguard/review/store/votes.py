"""Votes: decide, skip, escalate, undo. Each is one transaction that the caller opens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from crossguard.review.errors import ClaimLostError, NotFoundError, ReviewError
from crossguard.review.resolution import MAJORITY, Answer, Ballot, resolve
from crossguard.review.settings import ESCALATED
from crossguard.review.store import deliveries, log
from crossguard.review.store.claims import DECIDED, GOLD, OPEN, free_for
from crossguard.review.store.people import Person
from crossguard.review.store.schema import items, votes

VOTE, SKIP, ESCALATE = "vote", "skip", "escalate"
MOST_ALIKE: Final = 100
UNDECIDED: Final = {"outcome": None, "hateful": None, "decided_at": None}
NO_CLAIM: Final = {"claimed_by": None, "claimed_at": None, "claim_expires_at": None}


def cast(tx: Connection, item: int, person: Person, ballot: Ballot, *, submission: str, now: float) -> None:
    """Records a decision, and the item's outcome when no other vote is needed.

    A submission that was recorded before is not recorded twice, so a page may send it again.

    Raises:
        NotFoundError: No such item.
        ClaimLostError: The item is another's, or decided already.
    """
    row = _held(tx, item, person, submission, now)
    if row is None:
        return
    labels = {name: answer.value for name, answer in ballot.labels.items()}
    filled = {"labels": labels, "action": ballot.action, "clause": ballot.clause, "comment": ballot.comment}
    _add(tx, row, person, VOTE, submission=submission, now=now, **filled)
    log.record(tx, now, person.name, "decide", item, action=ballot.action, labels=labels, clause=ballot.clause)
    if row.state != GOLD:
        settle(tx, item, now)


def alike(db: Connection, item: int, person: Person, now: float) -> Sequence[Any]:
    """Returns near-duplicates (id, text, image_text) that wait and that the person may decide along with this item.

    Items that need two votes are left out: each of those is to be judged by itself.
    """
    row = db.execute(select(items.c.likeness, items.c.queue, items.c.needed).where(items.c.id == item)).one()
    if row.likeness is None or row.needed > 1:
        return []
    same = (items.c.likeness == row.likeness, items.c.queue == row.queue, items.c.state == OPEN, items.c.id != item)
    query = select(items.c.id, items.c.text, items.c.image_text).where(
        *same, items.c.needed == 1, free_for(person.id, now)
    )
    return db.execute(query.order_by(items.c.id).limit(MOST_ALIKE)).all()


def skip(tx: Connection, item: int, person: Person, reason: str, *, submission: str, now: float) -> None:
    """Passes an item on to others; it does not come back to this person.

    Raises:
        NotFoundError: No such item.
        ClaimLostError: The item is another's, or decided already.
    """
    row = _held(tx, item, person, submission, now)
    if row is not None:
        _add(tx, row, person, SKIP, submission=submission, now=now, comment=reason)
        log.record(tx, now, person.name, "skip", item, reason=reason)


def escalate(tx: Connection, item: int, person: Person, reason: str, *, submission: str, now: float) -> None:
    """Moves an item to the queue of escalated items, where others decide.

    Raises:
        NotFoundError: No such item.
        ClaimLostError: The item is another's, or decided already.
    """
    row = _held(tx, item, person, submission, now)
    if row is not None:
        _add(tx, row, person, ESCALATE, submission=submission, now=now, comment=reason)
        if row.state != GOLD:
            tx.execute(update(items).where(items.c.id == item).values(queue=ESCALATED))
        log.record(tx, now, person.name, "escalate", item, reason=reason)


def undo(tx: Connection, submission: str, person: Person, now: float, within_s: float) -> list[int]:
    """Takes back one submission of a person, on all items it was about, which are open again; returns these.

    Raises:
        NotFoundError: The person has no such submission, or has undone it.
        ReviewError: It is too old.
    """
    mine = (votes.c.submission == submission, votes.c.person == person.id, votes.c.undone_at.is_(None))
    found = tx.execute(select(votes).where(*mine).order_by(votes.c.item)).all()
    if not found:
        raise NotFoundError("There is nothing to undo: the decision was undone before, or is not yours.")
    if found[0].decided_at < now - within_s:
        raise ReviewError(f"A decision can be undone for {within_s / 60:.0f} minutes. Ask a lead to reopen the item.")
    tx.execute(update(votes).where(*mine).values(undone_at=now))
    for vote in found:
        reopen(tx, vote.item, now)
        if vote.kind == ESCALATE:
            tx.execute(update(items).where(items.c.id == vote.item).values(queue=vote.queue))
        log.record(tx, now, person.name, "undo", vote.item, what=vote.kind)
    return [vote.item for vote in found]


def clear(tx: Connection, item: int, lead: Person, now: float) -> None:
    """Takes back every answer to an item, at a lead's word, so that it is decided anew."""
    lock(tx, item)
    valid = (votes.c.item == item, votes.c.undone_at.is_(None))
    tx.execute(update(votes).where(*valid).values(undone_at=now))
    reopen(tx, item, now)
    log.record(tx, now, lead.name, "reopen", item)


def reopen(tx: Connection, item: int, now: float) -> None:
    """Opens an item whose votes no longer amount to its outcome; who received the outcome is told."""
    row = lock(tx, item)
    if row.state == DECIDED:
        tx.execute(update(items).where(items.c.id == item).values(state=OPEN, **UNDECIDED))
        if deliveries.withdraw(tx, item):
            deliveries.put(tx, item, "item.reopened", now, _reference(row))
    if row.state != GOLD:
        settle(tx, item, now)


def settle(tx: Connection, item: int, now: float) -> None:
    """Decides an item when its votes suffice, and puts the outcome into the outbox."""
    row = lock(tx, item)
    ballots = [ballot_of(vote) for vote in standing(tx, item)]
    outcome = resolve(ballots, row.needed) if row.state == OPEN and ballots else None
    if outcome is None:
        return
    hateful = any(value >= MAJORITY for value in outcome.labels.values())
    values = {"state": DECIDED, "outcome": outcome.to_dict(), "hateful": hateful, "decided_at": now}
    tx.execute(update(items).where(items.c.id == item).values(**values))
    event = "appeal.decided" if row.kind == "appeal" else "item.decided"
    deliveries.put(tx, item, event, now, _reference(row) | {"outcome": outcome.to_dict()})


def standing(db: Connection, item: int) -> Sequence[Any]:
    """Returns the votes on an item that are not undone, in their order."""
    valid = (votes.c.item == item, votes.c.kind == VOTE, votes.c.undone_at.is_(None))
    return db.execute(select(votes).where(*valid).order_by(votes.c.id)).all()


def ballot_of(vote: Any) -> Ballot:
    """Returns the ballot in a row of `votes`."""
    labels = {name: Answer(value) for name, value in vote.labels.items()}
    return Ballot(labels, vote.action or "", vote.clause, vote.comment)


def lock(tx: Connection, item: int) -> Any:
    """Returns an item's row; no other transaction changes it until this one ends.

    Raises:
        NotFoundError: No such item.
    """
    row = tx.execute(select(items).where(items.c.id == item).with_for_update()).first()
    if row is None:
        raise NotFoundError(f"There is no item {item}.")
    return row


def _held(tx: Connection, item: int, person: Person, submission: str, now: float) -> Any | None:
    """Returns the item's row when the person may decide it now; None when this submission has been recorded."""
    row = lock(tx, item)
    again = (votes.c.item == item, votes.c.submission == submission, votes.c.person == person.id)
    if tx.execute(select(votes.c.id).where(*again)).first() is not None:
        return None
    mine = row.claimed_by == person.id
    free = row.claim_expires_at is None or row.claim_expires_at <= now
    fresh = tx.execute(select(items.c.id).where(items.c.id == item, free_for(person.id, now))).first() is not None
    if row.state == DECIDED:
        raise ClaimLostError("This item has been decided by somebody else meanwhile. Your answer was not recorded.")
    if not mine and not (free and fresh and row.state == OPEN):
        raise ClaimLostError("This item is with somebody else, or you have answered it before. Take the next one.")
    return row


def _add(tx: Connection, row: Any, person: Person, kind: str, *, submission: str, now: float, **filled: Any) -> None:
    claimed_at = row.claimed_at if row.claimed_by == person.id else now
    values = {"labels": {}} | filled | {"item": row.id, "person": person.id, "kind": kind, "submission": submission}
    values |= {"queue": row.queue, "blind": row.blind, "claimed_at": claimed_at, "decided_at": now}
    tx.execute(insert(votes).values(**values))
    tx.execute(update(items).where(items.c.id == row.id).values(**NO_CLAIM))


def _reference(row: Any) -> dict[str, Any]:
    return {"item": row.id, "source": row.source, "kind": row.kind, "id": row.external}
