"""How many posts came by per day and stratum: what the few that people look at stand for."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, update

from crossguard.review.store.database import insert
from crossguard.review.store.schema import counted, feed

REMEMBERED: Final = 30
"""Days for which a post that came is known; one that is sent again after these counts again."""


def count(tx: Connection, day: int, posts: Sequence[tuple[str, str, str]]) -> None:
    """Adds posts of the feed (source, id, stratum) to its numbers, each once, however often it is sent."""
    if not posts:
        return
    if tx.execute(select(feed.c.day).where(feed.c.day == day).limit(1)).first() is None:
        tx.execute(delete(counted).where(counted.c.day < day - REMEMBERED))
    seen = {_key(source, id_): (source, stratum) for source, id_, stratum in posts}
    added = insert(tx, counted).on_conflict_do_nothing(index_elements=["post"]).returning(counted.c.post)
    new = set(tx.execute(added, [{"post": key, "day": day} for key in sorted(seen)]).scalars())
    if again := seen.keys() - new:
        tx.execute(update(counted).where(counted.c.post.in_(again)).values(day=day))
    for (source, stratum), number in sorted(Counter(seen[key] for key in new).items()):
        statement = insert(tx, feed).values(source=source, day=day, stratum=stratum, posts=number)
        tx.execute(
            statement.on_conflict_do_update(
                index_elements=["source", "day", "stratum"], set_={"posts": feed.c.posts + statement.excluded.posts}
            )
        )


def _key(source: str, id_: str) -> int:
    digest = hashlib.sha256(f"{source}\0{id_}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], signed=True)
