"""What stored posts say and show, by which versions of one post are told apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from crossguard.likeness import Likeness
from crossguard.review.store.schema import images

_HASHES: Final = (
    select(images.c.item, images.c.hash)
    .where(images.c.item.in_(bindparam("items", expanding=True)))
    .order_by(images.c.item, images.c.position)
)


@dataclass(frozen=True, slots=True)
class Content:
    """What the author of a post may change."""

    text: str
    image_text: str
    hashes: tuple[bytes | None, ...]  # of its images; None of one that could not be read
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
