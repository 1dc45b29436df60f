"""What stored posts say and show: by it versions of one post are told apart, and near-duplicates grouped.

An item joins the first item that it is like, or begins a group of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from crossguard.likeness import Likeness, describe
from crossguard.review.store.database import chunks
from crossguard.review.store.schema import images, items, likenesses

MOST_COMPARED: Final = 10
_HASHES: Final = (
    select(images.c.item, images.c.hash)
    .where(images.c.item.in_(bindparam("items", expanding=True)))
    .order_by(images.c.item, images.c.position)
)
_DESCRIBED: Final = [items.c[name] for name in ("id", "likeness", "text", "image_text", "erased_at")]


@dataclass(frozen=True, slots=True)
class Content:
    """What the author of a post may change."""

    text: str
    image_text: str
    hashes: tuple[bytes | None, ...] = ()  # of its images; None of one that could not be read
    erased: bool = False

    def is_edited(self, now: Content) -> bool:
        """Whether a post says or shows something else now; nothing is known of what was sent without words or images.

        An image that was scaled or compressed again is the same, unless hardly anything is on it.
        """
        read = now.image_text not in ("", self.image_text) and self.image_text != ""  # else nobody read its words
        said = bool(now.text or now.image_text) and (now.text != self.text or read)
        return not self.erased and (said or self._shows_other_images(now))

    def _shows_other_images(self, now: Content) -> bool:
        before, after = (tuple(found for found in each.hashes if found) for each in (self, now))
        unknown = None in (*self.hashes, *now.hashes) or not before or not after
        return not unknown and not Likeness("", before).near(Likeness("", after))


def contents_of(db: Connection, rows: Collection[Any]) -> dict[int, Content]:
    """Returns what stored posts say and show, by the number of the item."""
    hashes: dict[int, list[bytes | None]] = defaultdict(list)
    if rows:
        for image in db.execute(_HASHES, {"items": [row.id for row in rows]}):
            hashes[image.item].append(image.hash)
    return {row.id: Content(row.text, row.image_text, tuple(hashes[row.id]), row.erased_at is not None) for row in rows}


def group(tx: Connection, new: Sequence[Likeness | None]) -> list[str | None]:
    """Returns the key of each post's group; one that begins a group has its own `key`."""
    known = _keys(tx, {entry.key for entry in new if entry is not None})
    bands = {e.key: e.bands for e in new if e is not None and e.key not in known}
    candidates = _candidates(tx, bands)
    firsts = dict(_described(tx, {item for found in candidates.values() for item in found}))
    begun: dict[int, list[Likeness]] = defaultdict(list)
    for entry in new:
        if entry is None or entry.key in known:
            continue
        stored = (firsts[item] for item in candidates[entry.key] if item in firsts)
        beside = ((other.key, other) for band in bands[entry.key] for other in begun[band][:MOST_COMPARED])
        near = next((key for key, other in (*stored, *beside) if entry.near(other)), None)
        known[entry.key] = near or entry.key
        if near is None:
            for band in bands[entry.key]:
                begun[band].append(entry)
    return [None if entry is None else known[entry.key] for entry in new]


def begin(tx: Connection, firsts: Iterable[tuple[int, Likeness]]) -> None:
    """Stores how the first items of new groups are found: each with what it is compared by."""
    rows = [{"band": band, "item": item} for item, entry in firsts for band in set(entry.bands)]
    if rows:
        tx.execute(insert(likenesses), rows)


def found_by(tx: Connection, numbers: Sequence[int]) -> list[str]:
    """Returns the keys of the groups that are found by one of these items."""
    first = select(likenesses.c.item).where(likenesses.c.item.in_(numbers))
    return list(tx.execute(select(items.c.likeness).where(items.c.id.in_(first)).distinct()).scalars())


def hand_on(tx: Connection, keys: Sequence[str]) -> None:
    """Lets groups that are found by none of their items any more be so by the next one, and have its key.

    The key of an erased item would tell whoever guesses its words that they are right.
    """
    members = select(items.c.likeness).where(items.c.likeness.in_(keys))
    found = tx.execute(members.where(exists().where(likenesses.c.item == items.c.id)).distinct()).scalars()
    lost = sorted({*keys}.difference(found))
    left = select(func.min(items.c.id)).where(items.c.likeness.in_(lost)).group_by(items.c.likeness)
    for item, (key, entry) in list(_described(tx, set(tx.execute(left).scalars()))):
        tx.execute(update(items).where(items.c.likeness == key).values(likeness=entry.key))
        begin(tx, [(item, entry)])


def _keys(tx: Connection, keys: set[str]) -> dict[str, str]:
    return {
        key: key
        for chunk in chunks(sorted(keys))
        for key in tx.execute(select(items.c.likeness).where(items.c.likeness.in_(chunk)).distinct()).scalars()
    }


def _candidates(tx: Connection, bands: dict[str, list[int]]) -> dict[str, list[int]]:
    """Returns, per key, the items that share most of its bands."""
    of_band: dict[int, list[int]] = defaultdict(list)
    for chunk in chunks(sorted({band for found in bands.values() for band in found})):
        query = select(likenesses.c.band, likenesses.c.item).where(likenesses.c.band.in_(chunk))
        for band, item in tx.execute(query):
            of_band[band].append(item)
    return {
        key: [item for item, _ in Counter(i for band in found for i in of_band[band]).most_common(MOST_COMPARED)]
        for key, found in bands.items()
    }


def _described(tx: Connection, numbers: set[int]) -> Iterator[tuple[int, tuple[str, Likeness]]]:
    for chunk in chunks(sorted(numbers)):
        rows = tx.execute(select(*_DESCRIBED).where(items.c.id.in_(chunk), items.c.likeness.is_not(None))).all()
        contents = contents_of(tx, rows)
        for row in rows:
            entry = describe(f"{row.text} {row.image_text}", [found for found in contents[row.id].hashes if found])
            if entry is not None:
                yield row.id, (row.likeness, entry)
