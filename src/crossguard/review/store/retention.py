"""Deleting content: after a time, or of one author. Decisions and votes stay, as metrics rest on them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.store import likenesses
from crossguard.review.store.claims import DECIDED, ERASED, NO_CLAIM, UNDECIDED
from crossguard.review.store.counting import forget_words
from crossguard.review.store.database import chunks
from crossguard.review.store.items import HAVE_IDS_OF_POSTS, OF_NOBODY, lock, own_id
from crossguard.review.store.schema import DAY, images, items, reports, votes
from crossguard.review.store.schema import likenesses as bands

BATCH: Final = 1000
_GONE: Final = {"text": "", "image_text": "", "appeal_reason": "", "likeness": None}


def expire(tx: Connection, now: float, days: int) -> int:
    """Deletes the content of up to `BATCH` items that were decided more than `days` ago; returns how many."""
    old = (items.c.state == DECIDED) & (items.c.decided_at < now - days * DAY) & items.c.erased_at.is_(None)
    return _erase(tx, old, now)  # whose they were stays: a later request of the person must still find them


def erase_author(tx: Connection, author: str, now: float, source: str | None = None) -> int:
    """Deletes the content of all posts of an author, and what says whose they were; returns how many items.

    That includes earlier versions, golden copies and appeals that do not say whose they are. What the author reported
    about others loses the name and the reasons.

    Raises:
        NotFoundError: Neither a post nor a report is known as theirs.
        ReviewError: Several sources have an author of this key, who may be different people, and none was named.
    """
    total, theirs = 0, items.c.author == author
    if source is not None:
        theirs &= items.c.source == source
    found = tx.execute(select(items.c.source).where(theirs).distinct()).scalars()
    reported = [report for report in _reports_by(tx, author) if source in {None, report.source}]
    sources = sorted({*found, *(report.source for report in reported)})
    if not sources:
        of = f" in the source '{source}'" if source else ""
        raise NotFoundError(
            f"Nothing was erased: no item{of} has the author '{author}', and they reported none. Keys are "
            "case-sensitive; an author who was erased before is no longer known."
        )
    if len(sources) > 1:
        raise ReviewError(f"Several sources have an author '{author}': {', '.join(sources)}. Say of which.")
    unnamed = _unnamed(tx, sources[0], author)
    reported = [report for report in reported if report.source == sources[0]]
    others = [row.item for row in (*reported, *_comments(tx, theirs | unnamed))]
    lock(tx, theirs | unnamed | _one_of(others))  # all of them, as batches would come in an order of their own
    tx.execute(update(items).where(unnamed).values(author=author))
    _forget_reporter(tx, reported)
    while count := _erase(tx, theirs, now, author=None):
        total += count
    return total


def _reports_by(tx: Connection, author: str) -> Sequence[Any]:
    found = select(reports.c.id, reports.c.item, items.c.source).join(items, items.c.id == reports.c.item)
    return tx.execute(found.where(reports.c.reporter == author)).all()


def _forget_reporter(tx: Connection, reported: Sequence[Any]) -> None:
    """Takes name and reason from reports; an item has each name once, so nobody's is a name of its own."""
    if reported:
        nobody = [{"report": row.id, "nobody": f"erased {secrets.token_hex(8)}"} for row in reported]
        emptied = update(reports).where(reports.c.id == bindparam("report"))
        tx.execute(emptied.values(reporter=bindparam("nobody"), reason=""), nobody)


def _comments(tx: Connection, which: ColumnElement[bool]) -> Sequence[Any]:
    """Returns id and item of the votes with a comment on such items, and of those on others that were decided along."""
    given = votes.alias()
    # A sum, so that the few votes of an answer are looked up, and not all that its reviewer ever cast.
    together = (given.c.submission == votes.c.submission) & (given.c.person == votes.c.person + 0)
    found = select(votes.c.id, votes.c.item).join(given, together).join(items, items.c.id == given.c.item)
    return tx.execute(found.where(which, given.c.comment != "").distinct()).all()


def _unnamed(tx: Connection, source: str, author: str) -> ColumnElement[bool]:
    """The condition that an item is about a post of an author, in whatever version, but does not say by whom it is.

    Nobody may have told when the item was made: the service does not know.
    """
    posts = (items.c.source == source, HAVE_IDS_OF_POSTS)
    own = func.coalesce(items.c.version_of, items.c.external)
    names = sorted(tx.execute(select(own).where(*posts, items.c.author == author).distinct()).scalars())
    found: list[int] = []
    for chunk in chunks(names):
        named = items.c.external.in_(chunk) & items.c.version_of.is_(None)
        for which in (named, items.c.version_of.in_(chunk)):
            found += tx.execute(select(items.c.id).where(*posts, *OF_NOBODY, which)).scalars()
    appealed = select(items.c.id).where(*posts, (items.c.author == author) | _one_of(found))
    appeals = (items.c.source == source, items.c.kind == "appeal", items.c.appeal_of.in_(appealed))
    found += tx.execute(select(items.c.id).where(*appeals, *OF_NOBODY)).scalars()
    return _one_of(found)


def _one_of(numbers: Sequence[int]) -> ColumnElement[bool]:
    """The condition that an item has one of these numbers, of which there may be more than a query has parameters."""
    return items.c.id.in_(bindparam(None, list(numbers), expanding=True, literal_execute=True))


def _forget_errors(tx: Connection, which: ColumnElement[bool]) -> None:
    """Keeps of why posts could not be scored no more than the code: a message may name the address of an image."""
    unscored = select(items.c.id, items.c.decision).where(which, items.c.action.is_(None))
    for row in tx.execute(unscored).all():
        if row.decision and row.decision.get("error"):
            said = row.decision | {"error": row.decision["error"] | {"message": ""}}
            tx.execute(update(items).where(items.c.id == row.id).values(decision=said))


def _erase(tx: Connection, which: ColumnElement[bool], now: float, **more: None) -> int:
    columns = [items.c[name] for name in ("id", "source", "external", "version_of")]
    rows = tx.execute(select(*columns).where(which).limit(BATCH)).all()
    found = [row.id for row in rows]
    if not found:
        return 0
    theirs = items.c.id.in_(found)
    groups = likenesses.found_by(tx, found)
    lock(tx, theirs | items.c.likeness.in_(groups) | _one_of([vote.item for vote in _comments(tx, theirs)]))
    comments = [{"vote": vote.id} for vote in _comments(tx, theirs)]
    tx.execute(update(items).where(theirs).values(**_GONE, **more, erased_at=now))
    _forget_errors(tx, theirs)
    # Nobody can judge what nobody can see, and a vote on nothing would count in the metrics.
    tx.execute(update(items).where(theirs, UNDECIDED).values(state=ERASED, **NO_CLAIM))
    tx.execute(update(images).where(images.c.item.in_(found)).values(jpeg=None, hash=None, problem="deleted"))
    tx.execute(delete(bands).where(bands.c.item.in_(found)))
    likenesses.hand_on(tx, groups)
    tx.execute(update(reports).where(reports.c.item.in_(found)).values(reason=""))
    if comments:
        tx.execute(update(votes).where(votes.c.id == bindparam("vote")).values(comment=""), comments)
    # All of an author's posts are theirs, also where the newest version is not stored: it was allowed and not sampled.
    forget_words(tx, {(row.source, own_id(row) if more else row.external) for row in rows})
    return len(found)
