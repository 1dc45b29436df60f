"""Items: put in, looked up, counted, listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy import insert as plain_insert

from crossguard.review.errors import NotFoundError
from crossguard.review.store.claims import OPEN, ORDERS, Filters
from crossguard.review.store.database import insert
from crossguard.review.store.schema import feed, images, item_labels, items, reports

REPORT_URGENCY_H = 12.0
"""Hours of waiting that another person's report counts as much as."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be stored.

    Attributes:
        row: Values for `items`.
        labels: Values for `item_labels`, without the item.
        images: JPEG and problem of each image.
        report: Who reported the post and why, for items of that kind.
    """

    row: Mapping[str, Any]
    labels: Sequence[Mapping[str, Any]] = ()
    images: Sequence[tuple[bytes | None, str]] = ()
    report: tuple[str, str] | None = None
    stratum: str = field(default="")


def put(tx: Connection, new: NewItem) -> int | None:
    """Stores an item; None when its source had sent it before. Another report on a known post is added to it."""
    statement = insert(tx, items).values(**new.row)
    unique = ["source", "kind", "external"]
    added = statement.on_conflict_do_nothing(index_elements=unique).returning(items.c.id)
    item: int | None = tx.execute(added).scalar_one_or_none()
    if item is not None:
        if new.labels:
            tx.execute(plain_insert(item_labels), [{"item": item, **label} for label in new.labels])
        for position, (jpeg, problem) in enumerate(new.images):
            values = {"item": item, "position": position, "jpeg": jpeg, "problem": problem}
            tx.execute(plain_insert(images).values(**values))
    if new.report is not None:
        _add_report(tx, new, item)
    return item


def count_feed(tx: Connection, day: int, seen: Counter[tuple[str, str]]) -> None:
    """Adds to the number of posts that came by, per source and stratum."""
    for (source, stratum), posts in sorted(seen.items()):
        statement = insert(tx, feed).values(source=source, day=day, stratum=stratum, posts=posts)
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["source", "day", "stratum"], set_={"posts": feed.c.posts + statement.excluded.posts}
            )
        )


def get(db: Connection, item: int) -> Any:
    """Returns the row of an item.

    Raises:
        NotFoundError: No such item.
    """
    row = db.execute(select(items).where(items.c.id == item)).first()
    if row is None:
        raise NotFoundError(f"There is no item {item}.")
    return row


def find(db: Connection, source: str, external: str) -> Any:
    """Returns the newest item about a post of a source, appeals aside.

    Raises:
        NotFoundError: The source has sent no such post.
    """
    same = (items.c.source == source, items.c.external == external, items.c.kind.not_in(("appeal", "gold")))
    row = db.execute(select(items).where(*same).order_by(items.c.id.desc()).limit(1)).first()
    if row is None:
        raise NotFoundError(f"The source '{source}' has sent no post '{external}'.")
    return row


def images_of(db: Connection, item: int) -> Sequence[Any]:
    """Returns id and problem of an item's images, in their order."""
    query = select(images.c.id, images.c.problem, images.c.jpeg.is_not(None).label("there"))
    return db.execute(query.where(images.c.item == item).order_by(images.c.position)).all()


def reports_of(db: Connection, item: int) -> Sequence[Any]:
    """Returns what people reported about an item."""
    return db.execute(select(reports).where(reports.c.item == item).order_by(reports.c.at)).all()


def earlier_of_author(db: Connection, row: Any, limit: int = 10) -> Sequence[Any]:
    """Returns other items by the author of an item, the newest first."""
    if row.author is None:
        return []
    same = (items.c.source == row.source, items.c.author == row.author, items.c.id != row.id, items.c.kind != "gold")
    return db.execute(select(items).where(*same).order_by(items.c.id.desc()).limit(limit)).all()


def waiting(db: Connection) -> dict[str, tuple[int, float]]:
    """Returns the number of open items per queue, and when the oldest was received."""
    query = select(items.c.queue, func.count(), func.min(items.c.received_at))
    rows = db.execute(query.where(items.c.state == OPEN).group_by(items.c.queue))
    return {queue: (count, oldest) for queue, count, oldest in rows}


def page(
    db: Connection, queue: str, filters: Filters, order: str, *, offset: int = 0, limit: int = 30
) -> tuple[Sequence[Any], bool]:
    """Returns open items of a queue in an order, and whether there are more."""
    query = select(items).where(*in_queue(queue), *filters.conditions())
    rows = db.execute(query.order_by(*ORDERS[order]).offset(offset).limit(limit + 1)).all()
    return rows[:limit], len(rows) > limit


def in_queue(queue: str) -> tuple[ColumnElement[bool], ...]:
    """The condition of waiting in a queue."""
    return items.c.queue == queue, items.c.state == OPEN


def _add_report(tx: Connection, new: NewItem, item: int | None) -> None:
    assert new.report is not None
    reporter, reason = new.report
    if item is None:
        same = [items.c[name] == new.row[name] for name in ("source", "kind", "external")]
        item = tx.execute(select(items.c.id).where(*same)).scalar_one()
    at = new.row["received_at"]
    values = {"item": item, "reporter": reporter, "reason": reason, "at": at}
    statement = insert(tx, reports).values(**values).on_conflict_do_nothing(index_elements=["item", "reporter"])
    if tx.execute(statement.returning(reports.c.id)).first() is not None:
        more = {"reports": items.c.reports + 1, "urgency": items.c.urgency + REPORT_URGENCY_H}
        tx.execute(update(items).where(items.c.id == item).values(**more))
