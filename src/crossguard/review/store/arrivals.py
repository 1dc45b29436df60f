"""What arrives: each post becomes an item once, unless it was edited."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, literal, select, update
from sqlalchemy import insert as plain_insert

from crossguard.likeness import Likeness
from crossguard.review.errors import ReviewError
from crossguard.review.store import deliveries, likenesses
from crossguard.review.store.claims import FEED, OF_POSTS
from crossguard.review.store.counting import FeedPost, countable, items_of, scored_by
from crossguard.review.store.database import POSTS, insert, take_turns
from crossguard.review.store.items import NAMED, OF_FEED, OF_NOBODY, lock, named_by, own_id, under_id
from crossguard.review.store.likenesses import Content, contents_of
from crossguard.review.store.people import digest
from crossguard.review.store.schema import images, items, reports, votes

REPORT_URGENCY_H: Final = 12.0
"""Hours of waiting that another person's report counts as much as."""
_UNIQUE: Final = ("source", "kind", "external")
_WORDS: Final = select(
    *(items.c[name] for name in ("id", "source", "kind", "external", "version_of", "text", "image_text", "erased_at"))
)
_LOCKS: Final = 64
_LATEST: Final = ("labels", "claimed_at", "decided_at")
_THERE: Final = _WORDS.where(*NAMED, items.c.kind.in_(OF_POSTS))


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be stored."""

    row: Mapping[str, Any]  # values for `items`
    images: Sequence[tuple[bytes | None, bytes | None, str]] = ()  # JPEG, perceptual hash and problem of each image
    likeness: Likeness | None = None
    report: tuple[str, str] | None = None  # who reported the post and why, for items of that kind
    suggestion: tuple[str, Mapping[str, float]] | None = None
    wanted: bool = True  # else it is not stored: it only tells that what is there is an earlier version

    @property
    def unique(self) -> tuple[Any, ...]:
        """What the source sends once."""
        return tuple(self.row[name] for name in _UNIQUE)

    @property
    def name(self) -> tuple[str, str]:
        """Its source, and the id there."""
        return self.row["source"], self.row["external"]

    @property
    def post(self) -> tuple[str, str, bool]:
        """What it is about; the same for a post and reports on it, but not for a golden item of that id."""
        return *self.name, self.row["kind"] in OF_POSTS

    @property
    def content(self) -> Content:
        """What its author may change."""
        return Content(self.row["text"], self.row["image_text"], tuple(found for _, found, _ in self.images))


def put(
    tx: Connection,
    sent: Sequence[NewItem],
    authors: Mapping[tuple[str, str], str],
    came: Sequence[FeedPost],
    day: int,
) -> tuple[int, list[str]]:
    """Stores wanted items, each with the key of its near-duplicates; returns how many are new, and ids of edited posts.

    What a source had sent before is left as it is, but for its stratum, as which another policy takes it by now, its
    inclusion, which grows where that one has more of such posts taken, and its author where nobody named one; another
    report on a known post is added to it. A post that has another text or other images by now is an item again, and all
    that was there of its earlier version gets a number behind the id; so it does where nobody needs to see the new one,
    or where that comes with a report. `authors`, by source and id, and what `came` of the feed on a day (since 1970)
    may be those of further posts, which nobody needs to see now.
    """
    _wait_for_others(tx, sent)
    named, moved = _named_by_now(tx, authors), _moved(tx, came, day)
    names = named.keys() | moved.keys()
    made, edited, waiting = 0, list[str](), list(sent)
    while True:  # versions of one post in one batch come one after the other
        now, waiting = _first_versions(waiting)
        new, older = _unknown(tx, now)
        changing = (item for item in new if item.row["kind"] not in FEED)
        _lock(tx, older, [*waiting, *changing], names)
        _name_authors(tx, named)
        edited += [external for _, external in dict.fromkeys((row.source, row.external) for row in older)]
        for row in older:
            _set_apart(tx, row)
        _move(tx, moved)
        moved = {}
        made += _store(tx, new)
        if not waiting:
            return made, edited


def stored(db: Connection, names: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Returns which posts, by source and id, something is stored about."""
    if not names:
        return set()
    return {(row.source, row.external) for row in db.execute(_THERE, named_by(names))}.intersection(names)


def _wait_for_others(tx: Connection, sent: Sequence[NewItem]) -> None:
    """Lets calls with the same posts come one after the other, as all calls do on SQLite.

    Neither would see the version that the other one stores. A lock is shared by many posts, as a server has few; one
    for all posts would let callers wait for each other's round trips to the database.
    """
    named = (f"{item.row['source']}\0{item.row['external']}".encode("utf-8", "surrogatepass") for item in sent)
    take_turns(tx, POSTS, {zlib.crc32(name) % _LOCKS for name in named})


def _named_by_now(tx: Connection, authors: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Returns the authors of those posts of which what is there does not say by whom it is."""
    if not authors:
        return {}
    query = select(items.c.source, items.c.external).where(*NAMED, *OF_NOBODY)
    there = {(source, external) for source, external in tx.execute(query, named_by(authors))}
    return {name: author for name, author in authors.items() if name in there}


def _name_authors(tx: Connection, named: Mapping[tuple[str, str], str]) -> None:
    for name, author in named.items():
        tx.execute(update(items).where(*under_id(*name), *OF_NOBODY).values(author=author))


def _moved(tx: Connection, came: Sequence[FeedPost], day: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns what changes of items that are more likely to be taken by now, or that another policy puts elsewhere.

    Where the same one does, such a post has another image. Nor is one moved whose number in the feed could not follow.
    """
    stored = items_of(tx, came)
    elsewhere = [post for post, row in stored.items() if post.stratum != row.stratum]
    follow = countable(tx, day, [post for post in elsewhere if post.scored_by != scored_by(stored[post].decision)])
    return {
        post.name: {"stratum": post.stratum, "inclusion": max(post.inclusion, row.inclusion)}
        for post, row in stored.items()
        if post in follow or (post.stratum == row.stratum and post.inclusion > row.inclusion)
    }


def _move(tx: Connection, moved: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    for name, values in moved.items():
        tx.execute(update(items).where(*under_id(*name), *OF_FEED).values(**values))


def _lock(
    tx: Connection, older: Sequence[Any], changing: Sequence[NewItem], named: Collection[tuple[str, str]]
) -> None:
    """Locks what stands under the ids of edited posts, and of those that change it by a report or a known answer."""
    names = {(row.source, row.external) for row in older} | {item.name for item in changing} | {*named}
    if names:
        lock(tx, *NAMED, **named_by(names))


def _first_versions(sent: Sequence[NewItem]) -> tuple[list[NewItem], list[NewItem]]:
    """Parts the first version of each post from later ones."""
    first: dict[tuple[str, str, bool], Content] = {}
    now: list[NewItem] = []
    later: list[NewItem] = []
    for item in sent:
        content = item.content
        same = first.setdefault(item.post, content) == content
        (now if same else later).append(item)
    return now, later


def _unknown(tx: Connection, sent: Sequence[NewItem]) -> tuple[list[NewItem], list[Any]]:
    """Leaves out what nobody needs to see, and posts of the feed that are there, whatever the policy said of them then.

    Also returns the rows of what is there, reports among it, with another text or other images than what came.
    """
    posts = [item for item in sent if item.row["kind"] in OF_POSTS]
    if not posts:
        return list(sent), []
    there: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in tx.execute(_THERE, named_by(item.name for item in posts)):
        there[row.source, row.external].append(row)
    before = contents_of(tx, [row for rows in there.values() for row in rows])
    older = {
        row.id: row for item in posts for row in there.get(item.name, ()) if before[row.id].is_edited(item.content)
    }
    known = {name for name, rows in there.items() if any(row.kind in FEED and row.id not in older for row in rows)}
    fresh = []
    for item in sent:
        of_feed = item.row["kind"] in FEED
        if item.wanted and not (of_feed and item.name in known):
            fresh.append(item)
            known |= {item.name} if of_feed else set()
    return fresh, [older[number] for number in sorted(older)]


def _set_apart(tx: Connection, old: Any) -> None:
    """Renames an earlier version of a post, and with it reports and golden items that say the same.

    By their common id an appeal finds all decisions on a post, and a golden item those who made its answer.
    """
    same = tx.execute(_WORDS.where(*under_id(old.source, old.external))).all()
    contents = contents_of(tx, same)
    if old.id not in contents:
        return  # set apart with another item of that version
    version = [item for item, content in contents.items() if not content.is_edited(contents[old.id])]
    name = _free_name(tx, old)
    tx.execute(update(items).where(items.c.id.in_(version)).values(external=name, version_of=own_id(old)))
    deliveries.rename(tx, version, name)


def _free_name(tx: Connection, old: Any) -> str:
    """Returns a post's id with its number behind it; once more where the source itself sent such an id."""
    name = f"{old.external}#{old.id}"
    while tx.execute(select(literal(1)).where(*under_id(old.source, name)).limit(1)).first() is not None:
        name = f"{name}#{old.id}"
    return name


def _store(tx: Connection, new: Sequence[NewItem]) -> int:
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
        if item.row["kind"] == "gold":
            _correct(tx, item)
        if item.report is not None or item.suggestion is not None:
            _add_opinion(tx, item, made.get(item.unique))
    return len(made)


def _correct(tx: Connection, golden: NewItem) -> None:
    """Takes the answer of a golden item that is there: who made it may correct it.

    Raises:
        ReviewError: It is the answer to another text.
    """
    same = _is(golden)
    (there,) = contents_of(tx, tx.execute(_WORDS.where(*same)).all()).values()
    if there.is_edited(golden.content):
        raise ReviewError(
            f"The golden item '{golden.row['external']}' is there with another text or other images. Give this one its "
            "own id."
        )
    tx.execute(update(items).where(*same).values(expected=golden.row["expected"]))


def _is(new: NewItem) -> list[ColumnElement[bool]]:
    """The conditions that an item is the one that is to be stored."""
    return [items.c[name] == new.row[name] for name in _UNIQUE]


def _add_opinion(tx: Connection, new: NewItem, item: int | None) -> None:
    """Adds a report, or a suggestion, once per person who sent it: their next suggestion takes its place."""
    erased_at = None
    if item is None:
        item, erased_at = tx.execute(select(items.c.id, items.c.erased_at).where(*_is(new))).one()
    at, more = new.row["received_at"], {"urgency": items.c.urgency + REPORT_URGENCY_H}
    if new.report is not None:
        reporter, reason = new.report
        values = {"item": item, "reporter": reporter, "reason": "" if erased_at is not None else reason, "at": at}
        statement = insert(tx, reports).values(**values).on_conflict_do_nothing(index_elements=["item", "reporter"])
        more["reports"] = items.c.reports + 1
    else:
        by, scores = new.suggestion or ("", {})
        values = {"item": item, "kind": "suggest", "submission": digest(by), "labels": dict(scores)}
        values |= {"queue": new.row["queue"], "claimed_at": at, "decided_at": at}
        statement = insert(tx, votes).values(**values).on_conflict_do_nothing(index_elements=["item", "submission"])
    if tx.execute(statement.returning(literal(1))).first() is not None:
        tx.execute(update(items).where(items.c.id == item).values(**more))
    elif new.report is None:
        same = (votes.c.item == item, votes.c.submission == values["submission"])
        tx.execute(update(votes).where(*same).values({name: values[name] for name in _LATEST}))
