"""Golden items: copies of decided items with the outcome as the known answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from crossguard.review.errors import ReviewError
from crossguard.review.resolution import MAJORITY, Answer
from crossguard.review.store import items
from crossguard.review.store.claims import GOLD
from crossguard.review.store.likenesses import contents_of
from crossguard.review.store.schema import items as table


def answer_of(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an outcome as a known answer."""
    answers = {
        name: (Answer.YES if value > MAJORITY else Answer.NO).value
        for name, value in outcome["labels"].items()
        if value != MAJORITY  # nobody is right or wrong where the answer itself was open
    }
    return {"action": outcome["action"], "labels": answers}


def make(tx: Connection, row: Any, queue: str, now: float) -> str:
    """Makes a golden item of a decided one in a queue, or gives the one that is there its outcome; returns which.

    Raises:
        ReviewError: There is one that knows this answer, or one with another text under the same id.
    """
    expected, there = answer_of(row.outcome), _golden(tx, row)
    if there is None:
        place = {"kind": "gold", "queue": queue, "state": GOLD, "blind": row.blind}
        items.copy(tx, row, **place, received_at=now, expected=expected)
        return "make golden"
    if not _is_same(tx, there, row):
        raise ReviewError("There is a golden item with another text or other images under the id of this post.")
    if there.expected == expected:
        raise ReviewError("There is a golden item of this post already, with this answer.")
    _expect(tx, there, expected)
    return "change golden"


def follow(tx: Connection, row: Any, outcome: Mapping[str, Any]) -> bool:
    """Lets the golden item of a decided one know its new outcome, unless its answer was not the old one anyway.

    Returns whether it does.
    """
    there = _golden(tx, row)
    follows = there is not None and there.expected == answer_of(row.outcome) and _is_same(tx, there, row)
    if follows:
        _expect(tx, there, answer_of(outcome))
    return follows


def _golden(db: Connection, row: Any) -> Any:
    same = (table.c.kind == "gold", table.c.source == row.source, table.c.external == row.external)
    return db.execute(select(table).where(*same)).first()


def _is_same(db: Connection, golden: Any, row: Any) -> bool:
    contents = contents_of(db, [golden, row])
    return not contents[golden.id].is_edited(contents[row.id])


def _expect(tx: Connection, golden: Any, expected: Mapping[str, Any]) -> None:
    tx.execute(update(table).where(table.c.id == golden.id).values(expected=expected))
