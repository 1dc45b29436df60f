"""The numbers of the feed: each post that came counts once in its stratum, taken or not."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from crossguard.review.store.database import insert
from crossguard.review.store.items import NAMED, OF_FEED, named_by
from crossguard.review.store.likenesses import Content
from crossguard.review.store.people import digest
from crossguard.review.store.schema import SUM, counted, feed, items

REMEMBERED: Final = 30
"""Days for which a post that came is known; one that is sent again after these counts again."""
SCORED_BY: Final = ("model", "model_version", "policy", "policy_version")
_CHANGE: Final = update(counted).where(counted.c.post == bindparam("key"))
_READ: Final = ("source", "external", "stratum", "inclusion", "text", "image_text", "erased_at", "decision")
_STORED: Final = select(*(items.c[name] for name in _READ)).where(*NAMED, *OF_FEED)


class FeedPost(NamedTuple):
    """A post of the feed as it came."""

    source: str
    id: str
    stratum: str
    text: str = ""
    image_text: str = ""
    inclusion: float = 1.0  # probability of being taken into the console
    scored_by: tuple[Any, ...] = ()  # model, policy and their versions

    @property
    def name(self) -> tuple[str, str]:
        """Its source, and the id there."""
        return self.source, self.id

    @property
    def key(self) -> int:
        """Stands for its source, and the id there."""
        return _key(self.source, self.id)


class _Counted(NamedTuple):
    """What is remembered of a post; nothing where it came before that was so."""

    counted_on: int | None
    stratum: str | None
    text_sum: str | None
    image_text_sum: str | None

    @classmethod
    def of(cls, post: FeedPost, day: int) -> _Counted:
        """Returns that of a post that counts as it is now."""
        return cls(day, post.stratum, _sum(post.text), _sum(post.image_text))

    @property
    def words(self) -> Content:
        """Its checksums as what they stand for, in which an edit is one, too."""
        return Content(self.text_sum or "", self.image_text_sum or "", erased=self.text_sum is None)


class _Place(NamedTuple):
    """Which of the feed's numbers a post is part of."""

    source: str
    day: int
    stratum: str


def count_feed(tx: Connection, day: int, posts: Sequence[FeedPost]) -> None:
    """Adds posts to the feed's numbers, each version once, however often it is sent.

    A post that comes again in another stratum, as under another policy, counts in that one from then on, and where it
    is an item, in the stratum of that one: so what there is to store or to change of items has been done before.
    """
    if not posts:
        return
    if tx.execute(select(feed.c.day).where(feed.c.day == day).limit(1)).first() is None:
        tx.execute(delete(counted).where(counted.c.day < day - REMEMBERED))
    changes: Counter[_Place] = Counter()
    waiting = posts
    while waiting:  # what one batch says of the same post comes one after the other
        now: dict[int, FeedPost] = {}
        waiting = [post for post in waiting if now.setdefault(post.key, post) != post]
        changes.update(_count(tx, day, now))
    for place, number in sorted(changes.items()):
        statement = insert(tx, feed).values(**place._asdict(), posts=number)
        more = {"posts": feed.c.posts + statement.excluded.posts}
        tx.execute(statement.on_conflict_do_update(index_elements=_Place._fields, set_=more))


def _count(tx: Connection, day: int, posts: Mapping[int, FeedPost]) -> Counter[_Place]:
    """Remembers posts, one of each key; returns by how much the feed's numbers change."""
    added = insert(tx, counted).on_conflict_do_nothing(index_elements=["post"]).returning(counted.c.post)
    # All callers name posts in one order, as PostgreSQL ends one of two in a deadlock.
    rows = [{"post": key, "day": day} | _Counted.of(posts[key], day)._asdict() for key in sorted(posts)]
    new = set(tx.execute(added, rows).scalars())
    changes = Counter(_Place(posts[key].source, day, posts[key].stratum) for key in new)
    if known := posts.keys() - new:
        changes.update(_count_again(tx, day, {key: posts[key] for key in known}))
    return changes


def _count_again(tx: Connection, day: int, posts: Mapping[int, FeedPost]) -> Counter[_Place]:
    """Counts posts that are known as what they are by now, each beside what it counts as if it is another one."""
    same = counted.c.post.in_(posts)
    rows = tx.execute(select(counted).where(same).order_by(counted.c.post).with_for_update()).all()
    tx.execute(update(counted).where(same).values(day=day))
    came = [(row, posts[row.post]) for row in rows]
    stored = items_of(tx, [post for row, post in came if row.stratum not in {None, post.stratum}])
    changes: Counter[_Place] = Counter()
    changed = []
    for row, post in came:
        before = _Counted(row.counted_on, row.stratum, row.text_sum, row.image_text_sum)
        now = _Counted.of(post, day)
        stratum = stored[post].stratum if post in stored else post.stratum
        if before.words.is_edited(now.words):
            after = now
            changes[_Place(post.source, day, post.stratum)] += 1
        elif before.stratum is None:
            after = now._replace(counted_on=None, stratum=None)
        elif before.stratum != stratum:
            after = before._replace(stratum=stratum)
            changes[_Place(post.source, row.counted_on, row.stratum)] -= 1
            changes[_Place(post.source, row.counted_on, stratum)] += 1
        else:
            continue
        changed.append({"key": row.post} | after._asdict())
    if changed:
        tx.execute(_CHANGE, changed)
    return changes


def items_of(db: Connection, posts: Sequence[FeedPost]) -> dict[FeedPost, Any]:
    """Returns the items (stratum, inclusion) of those posts that are some; one of an earlier version is another's."""
    if not posts:
        return {}
    asked = named_by(post.name for post in posts)
    there = {(row.source, row.external): row for row in db.execute(_STORED, asked)}
    found = {}
    for post in posts:
        row = there.get(post.name)
        if row is not None:
            # Images of posts that nobody stores are not read.
            before = Content(row.text, row.image_text, erased=row.erased_at is not None)
            if not before.is_edited(Content(post.text, post.image_text)):
                found[post] = row
    return found


def scored_by(record: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Returns model, policy and their versions in a record of scoring; nothing where there is none."""
    return tuple(record.get(name) for name in SCORED_BY) if record else ()


def countable(tx: Connection, day: int, posts: Collection[FeedPost]) -> set[FeedPost]:
    """Returns those posts of which it is known as what they count, so that they can count as something else."""
    if not posts:
        return set()
    wanted = (counted.c.post.in_([post.key for post in posts]), counted.c.stratum.is_not(None))
    there = set(tx.execute(select(counted.c.post).where(*wanted, counted.c.day >= day - REMEMBERED)).scalars())
    return {post for post in posts if post.key in there}


def forget_words(tx: Connection, names: Collection[tuple[str, str]]) -> None:
    """Forgets what would tell of posts (source, id) whose content is erased whether somebody guesses it."""
    same = counted.c.post.in_([_key(*name) for name in names])
    tx.execute(select(counted.c.post).where(same).order_by(counted.c.post).with_for_update())
    tx.execute(update(counted).where(same).values(text_sum=None, image_text_sum=None))


def _key(source: str, id_: str) -> int:
    found = hashlib.sha256(f"{source}\0{id_}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(found[:8], signed=True)


def _sum(words: str) -> str:
    """Returns a checksum, too short to tell more than that a post is another one; that of no words is empty."""
    return words and digest(words)[:SUM]
