"""Votes: decide, skip, escalate, undo. Each is one transaction that the caller opens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select, update

from crossguard.review.errors import ClaimLostError, NotAllowedError, NotFoundError, ReviewError
from crossguard.review.resolution import MAJORITY, Answer, Ballot, Outcome, resolve
from crossguard.review.settings import ESCALATED
from crossguard.review.store import deliveries, golden, log
from crossguard.review.store.claims import DECIDED, ERASED, GOLD, NO_CLAIM, OF_POSTS, OPEN, free_for
from crossguard.review.store.items import get, lock_posts, of_version, own_id
from crossguard.review.store.likenesses import contents_of
from crossguard.review.store.people import Person
from crossguard.review.store.schema import items, votes

VOTE, SKIP, ESCALATE, SUGGEST = "vote", "skip", "escalate", "suggest"
# Statements are built once: to build one takes longer than to run it.
_CHANGED: Final = update(items).where(items.c.id == bindparam("item"))
_CAST: Final = select(votes).where(votes.c.item == bindparam("item")).order_by(votes.c.id)
_ADDED: Final = insert(votes)
_STANDING: Final = select(func.count()).where(
    votes.c.submission == bindparam("submission"),
    votes.c.person == bindparam("person"),
    votes.c.kind == VOTE,
    votes.c.undone_at.is_(None),
)
_FRESH: Final = select(items.c.id).where(
    items.c.id == bindparam("item"), items.c.state == OPEN, free_for(bindparam("person"), bindparam("now"))
)
_appealed = items.alias("appealed")
_OF_POST: Final = (
    select(items)
    .where(
        _appealed.c.id == bindparam("item"),
        items.c.source == _appealed.c.source,
        items.c.external == _appealed.c.external,
        items.c.kind.in_(OF_POSTS),
    )
    .order_by(items.c.id)
)
_APPEALS: Final = (
    select(items.c.id, items.c.outcome, items.c.hateful, items.c.state, items.c.decided_at)
    .where(
        items.c.source == bindparam("source"),
        items.c.kind == "appeal",
        items.c.appeal_of.in_(bindparam("post", expanding=True)),
    )
    .order_by(items.c.decided_at.desc(), items.c.id.desc())
)


def cast(tx: Connection, item: int, person: Person, ballot: Ballot, *, submission: str, now: float) -> None:
    """Records a decision, and the item's outcome when no other vote is needed.

    A submission that was recorded before is not recorded twice, so a page may send it again. Who decides several items
    locks their posts before.
    """
    lock_posts(tx, [item])
    row, said = _held(tx, item, person, submission, now)
    if row is None:
        return
    before = [vote for vote in said if vote.kind == VOTE and vote.undone_at is None]
    # After an answer the page shows what the model says: the next one of the same person is no longer blind.
    shown = any(vote.kind == VOTE and vote.person == person.id for vote in said)
    labels = {name: answer.value for name, answer in ballot.labels.items()}
    filled = {"labels": labels, "action": ballot.action, "clause": ballot.clause, "comment": ballot.comment}
    _add(tx, row, person, VOTE, submission=submission, now=now, blind=row.blind and not shown, **filled)
    log.record(tx, now, person.name, "decide", item, action=ballot.action, labels=labels, clause=ballot.clause)
    _settle(tx, row, [*map(ballot_of, before), ballot], now, NO_CLAIM)


def pass_on(
    tx: Connection, item: int, person: Person, kind: str, reason: str, *, comment: str = "", submission: str, now: float
) -> None:
    """Gives an item to others, in its queue (`SKIP`) or that of escalated items; it never comes back to the person.

    A comment may quote the post, so it is deleted with its content; the log keeps the reason only.
    """
    row, _ = _held(tx, item, person, submission, now)
    if row is not None:
        _add(tx, row, person, kind, submission=submission, now=now, comment=comment or reason)
        moved = {"queue": ESCALATED} if kind == ESCALATE and row.state != GOLD else {}
        _change(tx, item, NO_CLAIM | moved)
        log.record(tx, now, person.name, kind, item, reason=reason)


def undo(tx: Connection, submission: str, person: Person, now: float, within_s: float) -> list[int]:
    """Takes back one submission of a person, on all items that may be judged again; returns these.

    What was decided by it is open again. A skip or an escalation decided nothing, so it leaves others' decisions alone.

    Raises:
        NotFoundError: The person has no such submission, or has undone it.
        NotAllowedError: It was in a queue that the person no longer has.
        ReviewError: It is too old, or none of its items may be judged again.
    """
    mine = (votes.c.submission == submission, votes.c.person == person.id, votes.c.undone_at.is_(None))
    found = tx.execute(select(votes).where(*mine).order_by(votes.c.item)).all()
    if not found:
        raise NotFoundError("There is nothing to undo: the decision was undone before, or is not yours.")
    if lost := next((vote.queue for vote in found if not person.sees(vote.queue)), None):
        raise NotAllowedError(f"Your account no longer includes the queue '{lost}'. Ask an admin.")
    if found[0].decided_at < now - within_s:
        raise ReviewError(f"A decision can be undone for {within_s / 60:.0f} minutes. Ask a lead to reopen the item.")
    lock_posts(tx, [vote.item for vote in found])
    final = {vote.item: why for vote in found if vote.kind == VOTE and (why := _why_final(tx, get(tx, vote.item)))}
    taken = [vote for vote in found if vote.item not in final]
    if not taken:
        raise ReviewError(final[found[0].item])
    tx.execute(update(votes).where(*mine, votes.c.item.in_([vote.item for vote in taken])).values(undone_at=now))
    for vote in taken:
        if vote.kind == VOTE:
            reopen(tx, vote.item, now)
        elif vote.kind == ESCALATE:
            _bring_back(tx, vote.item, now)
        log.record(tx, now, person.name, "undo", vote.item, what=vote.kind)
    return [vote.item for vote in taken]


def count_standing(db: Connection, person: int, submission: str) -> int:
    """Returns on how many items a person's submission still stands: as after `undo`, where some are final."""
    found: int = db.execute(_STANDING, {"person": person, "submission": submission}).scalar_one()
    return found


def _bring_back(tx: Connection, item: int, now: float) -> None:
    """Moves an open item to where it was before it was escalated, unless somebody else escalated it, too, or has it."""
    row = get(tx, item, lock=True)
    escalations = [vote for vote in tx.execute(_CAST, {"item": item}) if vote.kind == ESCALATE]
    stands = any(vote.undone_at is None for vote in escalations)
    held = row.claimed_by is not None and row.claim_expires_at > now
    if row.state == OPEN and not stands and not held:
        _change(tx, item, {"queue": escalations[0].queue})


def clear(tx: Connection, item: int, lead: Person, now: float) -> None:
    """Takes back every answer to an item, at a lead's word, so that it is decided anew."""
    lock_posts(tx, [item])
    valid = (votes.c.item == item, votes.c.kind != SUGGEST, votes.c.undone_at.is_(None))
    tx.execute(update(votes).where(*valid).values(undone_at=now))
    reopen(tx, item, now)
    log.record(tx, now, lead.name, "reopen", item)


def reopen(tx: Connection, item: int, now: float) -> None:
    """Opens an item whose votes no longer amount to its outcome; who received the outcome is told.

    Its post is locked, see `items.lock_posts`.

    Raises:
        ReviewError: Its content is deleted, or there is an appeal against its decision.
    """
    row = get(tx, item, lock=True)
    if why := _why_final(tx, row):
        raise ReviewError(why)
    if row.state == DECIDED:
        if row.appeal_of is not None:
            _give_back(tx, row)
        if deliveries.withdraw(tx, item):
            deliveries.put(tx, item, deliveries.REOPENED, now, _reference(tx, row))
        _send_last(tx, row, now)
    opened = {"state": OPEN, "outcome": None, "hateful": None, "decided_at": None} if row.state == DECIDED else {}
    _settle(tx, row, [ballot_of(vote) for vote in standing(tx, item)], now, opened)


def _why_final(db: Connection, row: Any) -> str:
    """Returns why what was said about an item stays as it is; empty where it may be judged again."""
    if row.erased_at is not None:
        return f"The content of item {row.id} is deleted, so nobody can judge it again: what was said stays."
    if row.state == DECIDED and row.appeal_of is None and _appeals(db, _of_post(db, row)):
        return f"There is an appeal against the decision on item {row.id}; what is said there is the last word."
    return ""


def _of_post(db: Connection, row: Any) -> Sequence[Any]:
    """Returns what there is about the post of an item or appeal, appeals aside: it may have been flagged and reported.

    Another version of the post, such as one that only came with a report, is another matter under the same id. An
    appeal still shows its own when that of the post has been deleted.
    """
    rows = db.execute(_OF_POST, {"item": row.appeal_of or row.id}).all()
    contents = contents_of(db, [*rows, row])
    return [other for other in rows if not contents[other.id].is_edited(contents[row.id])]


def _appeals(db: Connection, about: Sequence[Any]) -> Sequence[Any]:
    post = {"source": about[0].source, "post": [row.id for row in about]}
    return db.execute(_APPEALS, post).all()


def _send_last(tx: Connection, reopened: Any, now: float) -> None:
    """Sends the last decision about a post without the one that is reopened, if it did not arrive."""
    post = _about(tx, reopened)
    decided = select(items.c.id).where(items.c.id.in_(of_version(post)), items.c.state == DECIDED)
    standing = [item for item in tx.execute(decided).scalars() if item != reopened.id]
    deliveries.send_last(tx, standing, now, after=of_version(post, and_earlier=True))


def _give_back(tx: Connection, appeal: Any) -> None:
    """Gives what was decided about a post the outcomes that it has without an appeal: another one's, or its own."""
    about = _of_post(tx, appeal)
    followed = False  # the golden item has one answer: that of the first item whose outcome it had
    others = [row for row in _appeals(tx, about) if row.id != appeal.id and row.state == DECIDED]
    for row in about:
        own = outcome_of(tx, row.id)
        if row.state == DECIDED and own is not None:
            last = next((of for of in others if of.decided_at >= row.decided_at), None)
            values = {"outcome": last.outcome, "hateful": last.hateful} if last else _decided(own)
            followed = followed or golden.follow(tx, row, values["outcome"])
            _change(tx, row.id, values)


def standing(db: Connection, item: int) -> Sequence[Any]:
    """Returns the votes on an item that are not undone, in their order."""
    return [vote for vote in of(db, item) if vote.kind == VOTE]


def of(db: Connection, item: int) -> Sequence[Any]:
    """Returns all that was said about an item and is not undone: votes, skips, escalations, suggestions."""
    return [vote for vote in db.execute(_CAST, {"item": item}) if vote.undone_at is None]


def taken_back(db: Connection, item: int, person: int, submission: str) -> Any:
    """Returns the vote of a submission that was undone; None without one."""
    which = (VOTE, person, submission)
    own = (vote for vote in db.execute(_CAST, {"item": item}) if (vote.kind, vote.person, vote.submission) == which)
    return next((vote for vote in own if vote.undone_at is not None), None)


def outcome_of(db: Connection, item: int) -> Outcome | None:
    """Returns what the votes on a decided item amount to, appeals aside."""
    return resolve([ballot_of(vote) for vote in standing(db, item)], 1)


def ballot_of(vote: Any) -> Ballot:
    """Returns the ballot in a row of `votes`."""
    labels = {name: Answer(value) for name, value in vote.labels.items()}
    return Ballot(labels, vote.action or "", vote.clause, vote.comment)


def _held(tx: Connection, item: int, person: Person, submission: str, now: float) -> tuple[Any, Sequence[Any]]:
    """Returns the item's row, and what was said about it and undone, too, when the person may decide it now.

    The row is None when this submission has been recorded.
    """
    row = get(tx, item, lock=True)
    cast = tx.execute(_CAST, {"item": item}).all()
    sent = [vote for vote in cast if vote.submission == submission and vote.person == person.id]
    if any(vote.undone_at is not None for vote in sent):
        raise ClaimLostError("This answer was recorded and then taken back. Decide the item anew.")
    if sent:
        return None, ()
    if any(vote.undone_at is None and vote.person == person.id for vote in cast):
        raise ClaimLostError("You have answered this item before, and that stands. This answer was not recorded.")
    if row.state == DECIDED:
        raise ClaimLostError("This item has been decided by somebody else meanwhile. Your answer was not recorded.")
    if row.state == ERASED:
        raise ClaimLostError("The content of this item was deleted meanwhile. Your answer was not recorded.")
    free = {"item": item, "person": person.id, "now": now}
    if row.claimed_by != person.id and tx.execute(_FRESH, free).first() is None:
        raise ClaimLostError("This item is with somebody else now, or not for you. Your answer was not recorded.")
    return row, cast


def _add(tx: Connection, row: Any, person: Person, kind: str, *, submission: str, now: float, **filled: Any) -> None:
    claimed_at = row.claimed_at if row.claimed_by == person.id else now
    values = {"item": row.id, "person": person.id, "kind": kind, "submission": submission, "queue": row.queue}
    values |= {"labels": {}, "blind": row.blind, "claimed_at": claimed_at, "decided_at": now}
    tx.execute(_ADDED, values | filled)


def _settle(tx: Connection, row: Any, ballots: Sequence[Ballot], now: float, values: dict[str, Any]) -> None:
    """Changes an item, and decides it when its votes suffice: its outcome then goes into the outbox."""
    outcome = resolve(ballots, row.needed) if ballots and row.state != GOLD else None
    if outcome is not None:
        values = values | _decided(outcome) | {"state": DECIDED, "decided_at": now}
        about = _of_post(tx, row) if row.appeal_of is not None else ()
        for earlier in about:  # what is exported, learnt from and measured is the last word
            if earlier.state == DECIDED:
                golden.follow(tx, earlier, outcome.to_dict())
                _change(tx, earlier.id, _decided(outcome))
        event = "appeal.decided" if row.kind == "appeal" else "item.decided"
        data = _reference(tx, row) | {"outcome": outcome.to_dict()}
        deliveries.put(tx, row.id, event, now, data, after=of_version(_about(tx, row), and_earlier=True))
    if values:
        _change(tx, row.id, values)


def _decided(outcome: Outcome) -> dict[str, Any]:
    return {"outcome": outcome.to_dict(), "hateful": any(value > MAJORITY for value in outcome.labels.values())}


def _change(tx: Connection, item: int, values: dict[str, Any]) -> None:
    tx.execute(_CHANGED, {"item": item} | values)


def _about(db: Connection, row: Any) -> Any:
    """Returns the item that an appeal is against, and any other item itself."""
    return row if row.appeal_of is None else get(db, row.appeal_of)


def _reference(db: Connection, row: Any) -> dict[str, Any]:
    post = _about(db, row)
    named = {"item": row.id, "source": row.source, "kind": row.kind, "id": row.external, "post": own_id(post)}
    return named | {"version": None if post.version_of is None else post.external}
