"""Items: put in, looked up, counted, listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, literal, select, update
from sqlalchemy import insert as plain_insert

from crossguard.review.errors import NotFoundError
from crossguard.review.likeness import Likeness
from crossguard.review.store import likenesses
from crossguard.review.store.claims import OPEN, ORDERS, Filters
from crossguard.review.store.database import insert
from crossguard.review.store.schema import feed, images, items, reports

REPORT_URGENCY_H: Final = 12.0
"""Hours of waiting that another person's report counts as much as."""
_UNIQUE: Final = ("source", "kind", "external")
_COPIED: Final = (
    "source", "external", "text", "image_text", "author", "language", "posted_at", "decision", "action", "score",
    "label", "flagged", "reports", "urgency", "uncertainty", "shuffle",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be stored.

    Attributes:
        row: Values for `items`.
        images: JPEG, perceptual hash and problem of each image.
        likeness: What it is compared by with others.
        report: Who reported the post and why, for items of that kind.
    """

    row: Mapping[str, Any]
    images: Sequence[tuple[bytes | None, bytes | None, str]] = ()
    likeness: Likeness | None = None
    report: tuple[str, str] | None = None

    @property
    def unique(self) -> tuple[Any, ...]:
        """What the source sends once."""
        return tuple(self.row[name] for name in _UNIQUE)


def put(tx: Connection, new: Sequence[NewItem]) -> int:
    """Stores items, each with the key of its near-duplicates, and returns how many were new.

    What a source had sent before is left as it is; another report on a known post is added to it.
    """
    if not new:
        return 0
    groups = likenesses.group(tx, [item.likeness for item in new])
    rows = [dict(item.row) | {"likeness": key} for item, key in zip(new, groups, strict=True)]
    added = insert(tx, items).on_conflict_do_nothing(index_elements=_UNIQUE)
    columns = [items.c[name] for name in ("id", *_UNIQUE)]
    made = {tuple(unique): number for number, *unique in tx.execute(added.returning(*columns), rows)}
    first = {item.unique: (item, key) for item, key in reversed(list(zip(new, groups, strict=True)))}
    likenesses.begin(
        tx, [(made[u], i.likeness) for u, (i, k) in first.items() if u in made and i.likeness and i.likeness.key == k]
    )
    stored = [
        {"item": number, "position": position, "jpeg": jpeg, "hash": found, "problem": problem}
        for unique, number in made.items()
        for position, (jpeg, found, problem) in enumerate(first[unique][0].images)
    ]
    if stored:
        tx.execute(plain_insert(images), stored)
    for item in new:
        if item.report is not None:
            _add_report(tx, item, item.report, made.get(item.unique))
    return len(made)


def copy(tx: Connection, row: Any, **changes: Any) -> int:
    """Stores a copy of an item and its images with other values in some columns, and returns its id."""
    made: int = tx.execute(
        insert(tx, items).values(**{n: getattr(row, n) for n in _COPIED} | changes).returning(items.c.id)
    ).scalar_one()
    columns = [images.c[name] for name in ("position", "jpeg", "hash", "problem")]
    copied = select(literal(made), *columns).where(images.c.item == row.id)
    tx.execute(plain_insert(images).from_select(["item", *(column.name for column in columns)], copied))
    return made


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
    return db.execute(select(reports).where(reports.c.item == item).order_by(reports.c.id)).all()


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
    waits = (items.c.queue == queue, items.c.state == OPEN, *filters.conditions())
    found = select(items.c.id).where(*waits).order_by(*ORDERS[order]).offset(offset).limit(limit + 1).subquery()
    rows = db.execute(select(items).join(found, found.c.id == items.c.id).order_by(*ORDERS[order])).all()
    return rows[:limit], len(rows) > limit


def alike(db: Connection, queue: str, keys: set[str | None]) -> dict[str | None, int]:
    """Returns how many items of a queue wait in each of these groups of near-duplicates."""
    wanted = (items.c.likeness.in_(keys - {None}), items.c.queue == queue, items.c.state == OPEN)
    found = db.execute(select(items.c.likeness, func.count()).where(*wanted).group_by(items.c.likeness))
    return {None: 1} | {row.likeness: row[1] for row in found}


def _add_report(tx: Connection, new: NewItem, report: tuple[str, str], item: int | None) -> None:
    if item is None:
        item = tx.execute(select(items.c.id).where(*(items.c[n] == new.row[n] for n in _UNIQUE))).scalar_one()
    reporter, reason = report
    values = {"item": item, "reporter": reporter, "reason": reason, "at": new.row["received_at"]}
    statement = insert(tx, reports).values(**values).on_conflict_do_nothing(index_elements=["item", "reporter"])
    if tx.execute(statement.returning(reports.c.id)).first() is not None:
        more = {"reports": items.c.reports + 1, "urgency": items.c.urgency + REPORT_URGENCY_H}
        tx.execute(update(items).where(items.c.id == item).values(**more))
