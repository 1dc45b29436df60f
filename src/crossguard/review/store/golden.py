"""Golden items: copies of decided items with a known answer, which come up between others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from crossguard.review.errors import ReviewError
from crossguard.review.resolution import VALUES, Answer
from crossguard.review.store.schema import images, item_labels, items

_COPIED = (
    "source", "external", "text", "image_text", "author", "language", "posted_at", "decision", "action", "score",
    "label", "reports", "urgency", "uncertainty", "shuffle", "blind",
)  # fmt: skip


def copy(tx: Connection, row: Any, now: float) -> int:
    """Makes a golden item of a decided one and returns its id.

    Raises:
        ReviewError: There is one already.
    """
    same = (items.c.kind == "gold", items.c.source == row.source, items.c.external == row.external)
    if tx.execute(select(items.c.id).where(*same)).first() is not None:
        raise ReviewError("There is a golden item of this post already.")
    answers = {
        name: Answer.YES if value > VALUES[Answer.UNSURE] else Answer.NO
        for name, value in row.outcome["labels"].items()
    }
    values = {name: getattr(row, name) for name in _COPIED} | {
        "kind": "gold",
        "queue": "main",
        "state": "gold",
        "received_at": now,
        "stratum": "routed",
        "inclusion": 1.0,
        "needed": 1,
        "expected": {"action": row.outcome["action"], "labels": answers},
    }
    made: int = tx.execute(insert(items).values(**values).returning(items.c.id)).scalar_one()
    columns = ("label", "score", "threshold", "flagged")
    _copy_rows(tx, item_labels, row.id, made, columns)
    _copy_rows(tx, images, row.id, made, ("position", "jpeg", "problem"))
    return made


def _copy_rows(tx: Connection, table: Any, old: int, new: int, columns: tuple[str, ...]) -> None:
    found = tx.execute(select(*(table.c[name] for name in columns)).where(table.c.item == old)).mappings()
    rows = [{"item": new, **row} for row in found]
    if rows:
        tx.execute(insert(table), rows)
