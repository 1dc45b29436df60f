"""Items: put in, copied, looked up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, literal, select, true, update
from sqlalchemy import insert as plain_insert

from crossguard.likeness import Likeness
from crossguard.review.errors import NotFoundError
from crossguard.review.store import likenesses
from crossguard.review.store.claims import DECIDED, FEED, OF_POSTS
from crossguard.review.store.database import insert
from crossguard.review.store.schema import images, items, reports, votes

DEMO: Final = "demo"
"""Source of the posts that a new console begins with."""
REPORT_URGENCY_H: Final = 12.0
"""Hours of waiting that another person's report counts as much as."""
_UNIQUE: Final = ("source", "kind", "external")
_COPIED: Final = (
    "source", "external", "text", "image_text", "author", "language", "posted_at", "decision", "action", "score",
    "label", "flagged", "reports", "urgency", "uncertainty", "shuffle",
)  # fmt: skip
# Statements are built once: to build one takes longer than to run it.
_ITEM: Final = select(items).where(items.c.id == bindparam("item"))
_LOCKED: Final = _ITEM.with_for_update()
_IMAGES: Final = (
    select(images.c.id, images.c.problem, images.c.jpeg.is_not(None).label("there"))
    .where(images.c.item == bindparam("item"))
    .order_by(images.c.position)
)
_REPORTS: Final = select(reports).where(reports.c.item == bindparam("item")).order_by(reports.c.id)
_THERE: Final = select(items.c.source, items.c.external, items.c.text, items.c.image_text, items.c.erased_at).where(
    items.c.source.in_(bindparam("sources", expanding=True)),
    items.c.kind.in_(FEED),
    items.c.external.in_(bindparam("externals", expanding=True)),
)
_EARLIER: Final = (
    select(items.c.id, items.c.text, items.c.image_text, items.c.outcome)
    .where(
        items.c.source == bindparam("source"),
        items.c.author == bindparam("author"),
        items.c.id != bindparam("item"),
        items.c.kind != "gold",
    )
    .order_by(items.c.id.desc())
    .limit(10)
)


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be stored."""

    row: Mapping[str, Any]  # values for `items`
    images: Sequence[tuple[bytes | None, bytes | None, str]] = ()  # JPEG, perceptual hash and problem of each image
    likeness: Likeness | None = None
    report: tuple[str, str] | None = None  # who reported the post and why, for items of that kind
    suggestion: tuple[str, Mapping[str, float]] | None = None

    @property
    def unique(self) -> tuple[Any, ...]:
        """What the source sends once."""
        return tuple(self.row[name] for name in _UNIQUE)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of items."""

    made: int = 0
    edited: Sequence[str] = ()  # the source's ids of posts that were there with another text


def put(tx: Connection, sent: Sequence[NewItem]) -> Stored:
    """Stores items, each with the key of its near-duplicates.

    What a source had sent before is left as it is; another report on a known post is added to it.
    """
    new, edited = _unknown(tx, sent)
    if not new:
        return Stored(edited=edited)
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
        if item.report is not None or item.suggestion is not None:
            _add_opinion(tx, item, made.get(item.unique))
    return Stored(len(made), edited)


def _unknown(tx: Connection, new: Sequence[NewItem]) -> tuple[list[NewItem], list[str]]:
    """Leaves out posts of the feed that are there, whatever the policy said of them then; returns edited ones, too."""
    feed = [item.row for item in new if item.row["kind"] in FEED]
    wanted = {"sources": list({row["source"] for row in feed}), "externals": [row["external"] for row in feed]}
    there = tx.execute(_THERE, wanted).all() if feed else ()
    texts = {(row.source, row.external): None if row.erased_at else (row.text, row.image_text) for row in there}
    fresh, edited = [], []
    for item in new:
        post, words = (item.row["source"], item.row["external"]), (item.row["text"], item.row["image_text"])
        if item.row["kind"] not in FEED:
            fresh.append(item)
        elif post not in texts:
            texts[post] = words
            fresh.append(item)
        elif texts[post] not in (None, words):
            edited.append(item.row["external"])
    return fresh, edited


def copy(tx: Connection, row: Any, **changes: Any) -> int:
    """Stores a copy of an item and its images with other values in some columns, and returns its id."""
    made: int = tx.execute(
        insert(tx, items).values(**{n: getattr(row, n) for n in _COPIED} | changes).returning(items.c.id)
    ).scalar_one()
    columns = [images.c[name] for name in ("position", "jpeg", "hash", "problem")]
    copied = select(literal(made), *columns).where(images.c.item == row.id)
    tx.execute(plain_insert(images).from_select(["item", *(column.name for column in columns)], copied))
    return made


def get(db: Connection, item: int, *, lock: bool = False) -> Any:
    """Returns the row of an item; no other transaction changes one that is locked until this one ends.

    Raises:
        NotFoundError: No such item.
    """
    row = db.execute(_LOCKED if lock else _ITEM, {"item": item}).first()
    if row is None:
        raise NotFoundError(f"There is no item {item}.")
    return row


def find(db: Connection, source: str, external: str) -> Any:
    """Returns an item about a post of a source, appeals aside: the newest decided one, if any is.

    Raises:
        NotFoundError: The source has sent no such post.
    """
    same = (items.c.source == source, items.c.external == external, items.c.kind.in_(OF_POSTS))
    first = (items.c.state != DECIDED, items.c.erased_at.is_not(None), items.c.id.desc())
    row = db.execute(select(items).where(*same).order_by(*first).limit(1)).first()
    if row is None:
        raise NotFoundError(f"The source '{source}' has sent no post '{external}'.")
    return row


def images_of(db: Connection, item: int) -> Sequence[Any]:
    """Returns id and problem of an item's images, in their order."""
    return db.execute(_IMAGES, {"item": item}).all()


def reports_of(db: Connection, row: Any) -> Sequence[Any]:
    """Returns what people reported about an item."""
    return db.execute(_REPORTS, {"item": row.id}).all() if row.reports else []


def earlier_of_author(db: Connection, row: Any) -> Sequence[Any]:
    """Returns other items (id, text, image_text, outcome) by the author of an item, the newest ten first."""
    same = {"item": row.id, "source": row.source, "author": row.author}
    return db.execute(_EARLIER, same).all() if row.author is not None else []


def only_from(db: Connection, source: str) -> bool:
    """Whether no other source has sent anything."""
    return db.execute(select(items.c.id).where(items.c.source != source).limit(1)).first() is None


def not_demo(db: Connection, source: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that something is not from the demo, which counts only while there is nothing else."""
    return true() if only_from(db, DEMO) else source != DEMO


def _add_opinion(tx: Connection, new: NewItem, item: int | None) -> None:
    """Adds a report, or a suggestion, once per person who sent it."""
    if item is None:
        item = tx.execute(select(items.c.id).where(*(items.c[n] == new.row[n] for n in _UNIQUE))).scalar_one()
    at, more = new.row["received_at"], {"urgency": items.c.urgency + REPORT_URGENCY_H}
    if new.report is not None:
        reporter, reason = new.report
        values = {"item": item, "reporter": reporter, "reason": reason, "at": at}
        statement = insert(tx, reports).values(**values).on_conflict_do_nothing(index_elements=["item", "reporter"])
        more["reports"] = items.c.reports + 1
    else:
        by, scores = new.suggestion or ("", {})
        sent = hashlib.sha256(by.encode("utf-8", "surrogatepass")).hexdigest()
        values = {"item": item, "kind": "suggest", "submission": sent, "labels": dict(scores)}
        values |= {"queue": new.row["queue"], "claimed_at": at, "decided_at": at}
        statement = insert(tx, votes).values(**values).on_conflict_do_nothing(index_elements=["item", "submission"])
    if tx.execute(statement.returning(literal(1))).first() is not None:
        tx.execute(update(items).where(items.c.id == item).values(**more))
