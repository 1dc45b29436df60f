"""Claims: an item is one person's until a lease ends. Two people never hold the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from crossguard.review.store.schema import items, votes

OPEN, DECIDED, GOLD, ERASED = "open", "decided", "gold", "erased"
FEED: Final = ("flag", "audit")
"""Kinds of items that stand for posts of the feed; which one, the policy says."""
OF_POSTS: Final = (*FEED, "report")
"""Kinds of items about a post as it came."""
URGENT, UNCERTAIN, RANDOM, OLDEST = "urgent", "uncertain", "random", "oldest"
ORDERS: Final[dict[str, tuple[sa.Column[Any], bool]]] = {
    URGENT: (items.c.urgency, True),
    UNCERTAIN: (items.c.uncertainty, True),
    RANDOM: (items.c.shuffle, False),
    OLDEST: (items.c.id, False),
}
"""Column, and whether its greatest value comes first; equal ones come by `id`."""
UNDECIDED: Final = items.c.state.in_((OPEN, GOLD))
"""The condition that an item may be answered."""
NO_CLAIM: Final = {"claimed_by": None, "claimed_at": None, "claim_expires_at": None}


def asked(name: str) -> sa.BindParameter[Any]:
    """Returns the parameter of a statement in which columns may have the same name."""
    return sa.bindparam(f"asked_{name}")


Filters: TypeAlias = Mapping[str, Any]
"""Which items of a queue, by names of `_CONDITIONS`; what is not named may be anything."""
_LABEL: Final = sa.literal(" ").concat(asked("label")).concat(" ")
_CONDITIONS: Final[dict[str, sa.ColumnElement[bool]]] = {
    "label": sa.func.replace(items.c.flagged, _LABEL, "") != items.c.flagged,
    # Nobody learns by a filter whether the model flagged or allowed a post, or which items are golden.
    "kind": sa.case((items.c.kind.in_((*FEED, "gold")), "feed"), else_=items.c.kind) == asked("kind"),
    "source": items.c.source == asked("source"),
    "language": items.c.language == asked("language"),
    "author": items.c.author == asked("author"),
    "score_from": items.c.score >= asked("score_from"),
    "score_to": items.c.score <= asked("score_to"),
    "since": items.c.received_at >= asked("since"),
    "until": items.c.received_at < asked("until"),
    "likeness": items.c.likeness == asked("likeness"),
}
_ABOUT_THE_MODEL: Final = {"label", "score_from", "score_to"}
_waiting = items.alias("waiting")
# Perhaps only golden items have the source of one, so it passes for any source of which something waits in the queue.
_GOLDEN_CONDITIONS: Final = _CONDITIONS | {
    "source": sa.exists().where(
        _waiting.c.queue == asked("queue"), _waiting.c.state == OPEN, _waiting.c.source == asked("source")
    )
}


def ordering(order: str) -> list[sa.ColumnElement[Any]]:
    """Returns what to order by."""
    column, descending = ORDERS[order]
    return [column.desc() if descending else column, items.c.id]


def conditions(filters: tuple[str, ...], state: str = OPEN) -> list[sa.ColumnElement[bool]]:
    """Returns what a query must add to its WHERE for these filters; `values_of` has the values.

    Who asks for a label or a score learns it of what is found, so items that are judged blind are not found then.
    """
    seen = [] if _ABOUT_THE_MODEL.isdisjoint(filters) else [items.c.blind.is_(False)]
    known = _GOLDEN_CONDITIONS if state == GOLD else _CONDITIONS
    return [known[name] for name in filters] + seen


def values_of(filters: Filters) -> dict[str, Any]:
    """Returns what is asked for, as the parameters of a statement."""
    return {f"asked_{name}": value for name, value in filters.items()}


def free_for(person: Any, now: Any) -> sa.ColumnElement[bool]:
    """The condition that an item is not another's, and neither it nor what it is about was before this person.

    An appeal is against all that was decided about its post; of a golden item, they would have made the known answer,
    by a decision on the post or on an appeal.
    """
    mine = sa.and_(votes.c.person == person, votes.c.undone_at.is_(None))
    before = sa.exists().where(votes.c.item == items.c.id, mine)
    appealed, about = items.alias("appealed"), items.alias("about")
    same_post = (about.c.source == appealed.c.source, about.c.external == appealed.c.external)
    judged = sa.exists().where(
        appealed.c.id == items.c.appeal_of, *same_post, about.c.kind.in_(OF_POSTS), votes.c.item == about.c.id, mine
    )
    gold_of = (
        items.c.kind == "gold",
        about.c.source == items.c.source,
        about.c.external == items.c.external,
        about.c.kind.in_(OF_POSTS),
    )
    known = sa.exists().where(*gold_of, votes.c.item == about.c.id, mine)
    against = (appealed.c.source == about.c.source, appealed.c.kind == "appeal", appealed.c.appeal_of == about.c.id)
    reconsidered = sa.exists().where(*gold_of, *against, votes.c.item == appealed.c.id, mine)
    return sa.and_(_unclaimed(now), ~before, ~judged, ~known, ~reconsidered)


def _unclaimed(now: Any) -> sa.ColumnElement[bool]:
    return sa.or_(items.c.claim_expires_at.is_(None), items.c.claim_expires_at <= now)


# Statements are built once: to build one takes longer than to run it.
_PERSON: Final[sa.BindParameter[int]] = sa.bindparam("person")
_NOW: Final[sa.BindParameter[float]] = sa.bindparam("now")
_ITEM: Final[sa.BindParameter[int]] = sa.bindparam("item")
_MINE: Final = items.c.claimed_by == _PERSON
_FREE: Final = free_for(_PERSON, _NOW)
_HOLDS: Final = sa.and_(_MINE, items.c.claim_expires_at > _NOW)
_HELD: Final = sa.select(items.c.id, items.c.queue, items.c.claim_expires_at).where(_HOLDS, UNDECIDED)
_RENEW: Final = sa.update(items).where(items.c.id == _ITEM, _HOLDS).values(claim_expires_at=sa.bindparam("until_"))
_RELEASE: Final = sa.update(items).where(items.c.id == _ITEM, _MINE).values(**NO_CLAIM)


def _take(which: sa.ColumnElement[bool]) -> sa.Update:
    taken = {"claimed_by": _PERSON, "claimed_at": _NOW, "claim_expires_at": sa.bindparam("until_")}
    return sa.update(items).where(which, _unclaimed(_NOW)).values(**taken).returning(items.c.id)


_CLAIM: Final = _take(sa.and_(items.c.id == _ITEM, UNDECIDED, sa.or_(_MINE, _FREE)))


@cache
def _claim_first(order: str, filters: tuple[str, ...], state: str) -> sa.Update:
    pick = (
        sa.select(items.c.id)
        .where(items.c.queue == asked("queue"), items.c.state == state, _FREE, *conditions(filters, state))
        .order_by(*ordering(order))
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL: rows that another claim is taking are passed over
    )
    return _take(items.c.id == pick.scalar_subquery())


def held_by(db: sa.Connection, person: int, now: float) -> Sequence[Any]:
    """Returns the items (id, queue, claim_expires_at) that a person holds."""
    return db.execute(_HELD, {"person": person, "now": now}).all()


def claim_next(
    tx: sa.Connection,
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
    filters = filters or {}
    values = {"asked_queue": queue, "person": person, "now": now, "until_": now + lease_s}
    statement = _claim_first(order, tuple(filters), state)
    found: int | None = tx.execute(statement, values | values_of(filters)).scalar_one_or_none()
    return found


def claim(tx: sa.Connection, item: int, person: int, now: float, lease_s: float) -> bool:
    """Claims one item; False when another holds it, or the person must not decide it. Renews an own claim."""
    values = {"item": item, "person": person, "now": now, "until_": now + lease_s}
    return renew(tx, item, person, now, lease_s) or tx.execute(_CLAIM, values).first() is not None


def renew(tx: sa.Connection, item: int, person: int, now: float, lease_s: float) -> bool:
    """Lengthens a claim that has not ended; False when it has."""
    return tx.execute(_RENEW, {"item": item, "person": person, "now": now, "until_": now + lease_s}).rowcount > 0


def release(tx: sa.Connection, item: int, person: int) -> None:
    """Gives an item back."""
    tx.execute(_RELEASE, {"item": item, "person": person})
