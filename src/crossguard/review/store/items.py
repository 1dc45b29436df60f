"""Items: copied, and looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    SelectBase,
    bindparam,
    func,
    insert,
    literal,
    select,
    true,
    union_all,
)

from crossguard.review.errors import NotFoundError
from crossguard.review.store.claims import DECIDED, FEED, OF_POSTS
from crossguard.review.store.schema import images, items, reports

DEMO: Final = "demo"
"""Source of the posts that a new console begins with."""
ROUTED: Final = "routed"
"""Stratum of what is no sample of the feed: reports, appeals, golden items, and what a caller put into a queue."""
_COPIED: Final = (
    "source", "external", "version_of", "text", "image_text", "author", "language", "posted_at", "decision", "action",
    "score", "label", "flagged", "reports", "urgency", "uncertainty", "shuffle",
)  # fmt: skip
HAVE_IDS_OF_POSTS: Final = items.c.kind.in_((*OF_POSTS, "gold"))  # appeals have ids of their own
OF_FEED: Final = (items.c.kind.in_(FEED), items.c.stratum != ROUTED)
"""The conditions that an item stands for posts of the feed."""
OF_NOBODY: Final = (items.c.author.is_(None), items.c.erased_at.is_(None))
"""The conditions that an item has content and does not say by whom it is."""
NAMED: Final = (
    items.c.source.in_(bindparam("sources", expanding=True)),
    items.c.external.in_(bindparam("externals", expanding=True)),
    HAVE_IDS_OF_POSTS,
)
"""Those of `under_id` for several posts; one may have the source of one of these and the id of another."""
# Statements are built once: to build one takes longer than to run it.
_ITEM: Final = select(items).where(items.c.id == bindparam("item"))
_LOCKED: Final = _ITEM.with_for_update()
_IMAGES: Final = (
    select(images.c.id, images.c.problem, images.c.jpeg.is_not(None).label("there"))
    .where(images.c.item == bindparam("item"))
    .order_by(images.c.position)
)
_REPORTS: Final = select(reports).where(reports.c.item == bindparam("item")).order_by(reports.c.id)
_given, _post, _version, _appeal = (items.alias(name) for name in ("given", "post", "version", "appeal"))
_ABOUT: Final = (
    _post.c.id.in_(
        select(func.coalesce(_given.c.appeal_of, _given.c.id)).where(
            _given.c.id.in_(bindparam("items", expanding=True))
        )
    ),
    _version.c.source == _post.c.source,
    _version.c.kind.in_((*OF_POSTS, "gold")),
)
# Apart, as each has an index.
_SAME_POST: Final = select(_version.c.id).where(*_ABOUT, _version.c.external == _post.c.external)
_EARLIER_OF_POST: Final = select(_version.c.id).where(
    *_ABOUT, _version.c.version_of == _post.c.external, _post.c.version_of.is_(None)
)
_VERSIONS: Final = union_all(_SAME_POST, _EARLIER_OF_POST)
_AGAINST: Final = select(_appeal.c.id).where(_appeal.c.appeal_of.in_(_VERSIONS))
_EARLIER: Final = (
    select(items.c.id, items.c.text, items.c.image_text, items.c.outcome)
    .where(
        items.c.source == bindparam("source"),
        items.c.author == bindparam("author"),
        # Else a golden item, or a blind one, would show its answer; so would appeals, which have ids of their own.
        items.c.external != bindparam("external"),
        items.c.kind.in_(OF_POSTS),
    )
    .order_by(items.c.id.desc())
    .limit(10)
)


def copy(tx: Connection, row: Any, **changes: Any) -> int:
    """Stores a copy of an item and its images, no sample of the feed; returns its id. `changes` are other columns."""
    values = {name: getattr(row, name) for name in _COPIED} | {"stratum": ROUTED, "inclusion": 1.0} | changes
    made: int = tx.execute(insert(items).values(**values).returning(items.c.id)).scalar_one()
    columns = [images.c[name] for name in ("position", "jpeg", "hash", "problem")]
    copied = select(literal(made), *columns).where(images.c.item == row.id)
    tx.execute(insert(images).from_select(["item", *(column.name for column in columns)], copied))
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


def named_by(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Returns the parameters of `NAMED` for posts (source, id)."""
    sources, externals = zip(*sorted({*names}), strict=True)
    return {"sources": sorted({*sources}), "externals": list(externals)}


def lock(tx: Connection, *which: ColumnElement[bool], **values: Any) -> None:
    """Locks items as `get` does, for who changes several: in one order, as PostgreSQL ends one of two in a deadlock.

    Appeals come first, as the post of one is changed when it is decided. `values` are parameters of the conditions.
    """
    tx.execute(_in_order(*which), values)


def _in_order(*which: ColumnElement[bool]) -> Select[Any]:
    return select(items.c.id).where(*which).order_by(items.c.appeal_of.is_(None), items.c.id).with_for_update()


_LOCKED_POSTS: Final = _in_order(items.c.id.in_(union_all(_SAME_POST, _EARLIER_OF_POST, _AGAINST)))


def lock_posts(tx: Connection, numbers: Sequence[int]) -> None:
    """Locks all that is there about the posts of items or appeals, before any of it or of its messages is changed.

    That is what `of_version` finds with earlier versions, and golden items. On SQLite, nobody else writes meanwhile.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCKED_POSTS, {"items": list(numbers)})


def under_id(source: str, external: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions that an item, perhaps a golden one, is about the post of a source that has this id."""
    return items.c.source == source, items.c.external == external, HAVE_IDS_OF_POSTS


def find(db: Connection, source: str, external: str) -> Any:
    """Returns an item about a post of a source, appeals aside: the newest decided one, if any is.

    Raises:
        NotFoundError: The source has sent no such post, or nobody needed to see it.
    """
    same = (items.c.source == source, items.c.external == external, items.c.kind.in_(OF_POSTS))
    first = (items.c.state != DECIDED, items.c.erased_at.is_not(None), items.c.id.desc())
    row = db.execute(select(items).where(*same).order_by(*first).limit(1)).first()
    if row is None:
        raise NotFoundError(
            f"There is no post '{external}' of the source '{source}' here: it was never sent, or it was allowed and "
            "not sampled, so nobody has decided about it."
        )
    return row


def earlier_version(db: Connection, source: str, external: str) -> str | None:
    """Returns the id of the newest decided version of a post from before it was edited; None without one."""
    which = (items.c.source == source, items.c.version_of == external, items.c.kind.in_(OF_POSTS))
    decided = (items.c.state == DECIDED, items.c.erased_at.is_(None))
    found = select(items.c.external).where(*which, *decided).order_by(items.c.id.desc())
    return db.execute(found.limit(1)).scalar_one_or_none()


def own_id(row: Any) -> str:
    """Returns the id that the source sent for the post of an item, which may be an earlier version."""
    return str(row.version_of or row.external)


def of_version(row: Any, *, and_earlier: bool = False) -> SelectBase:
    """The numbers of all items about the version of a post that one is about, with appeals against decisions on these.

    Optionally also of those about earlier versions, where it is the present one.
    """
    named = items.c.external == row.external
    if and_earlier and row.version_of is None:
        named |= items.c.version_of == row.external
    posts = select(items.c.id).where(items.c.source == row.source, items.c.kind.in_(OF_POSTS), named)
    appeals = items.alias("appeals")
    return posts.union_all(select(appeals.c.id).where(appeals.c.appeal_of.in_(posts)))


def images_of(db: Connection, item: int) -> Sequence[Any]:
    """Returns id and problem of an item's images, in their order."""
    return db.execute(_IMAGES, {"item": item}).all()


def reports_of(db: Connection, row: Any) -> Sequence[Any]:
    """Returns what people reported about an item."""
    return db.execute(_REPORTS, {"item": row.id}).all() if row.reports else []


def earlier_of_author(db: Connection, row: Any, queues: Sequence[str] | None = None) -> Sequence[Any]:
    """Returns other posts by the author of an item as items (id, text, image_text, outcome), the newest ten first.

    `queues` are those that whoever asks may see; None is all.
    """
    if row.author is None:
        return []
    query = _EARLIER if queues is None else _EARLIER.where(items.c.queue.in_(queues))
    return db.execute(query, {"source": row.source, "author": row.author, "external": row.external}).all()


def only_from(db: Connection, source: str) -> bool:
    """Whether no other source has sent anything."""
    return db.execute(select(items.c.id).where(items.c.source != source).limit(1)).first() is None


def not_demo(db: Connection, source: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that something is not from the demo, which counts only while there is nothing else."""
    return true() if only_from(db, DEMO) else source != DEMO
