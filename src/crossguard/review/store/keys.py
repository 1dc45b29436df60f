"""Keys for programs that send posts or read decisions; stored as digests."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.store.people import digest
from crossguard.review.store.schema import keys


def add(tx: Connection, name: str, now: float) -> str:
    """Makes a key and returns it; it is not stored.

    Raises:
        ReviewError: The name is empty, too long or taken, be it by a key that was ended.
    """
    name = name.strip()
    if not 0 < len(name) <= 64:  # noqa: PLR2004 - the column
        raise ReviewError("A key needs a name of 1 to 64 characters.")
    if tx.execute(select(keys.c.id).where(keys.c.name == name)).first():
        raise ReviewError(
            f"A key is or was named '{name}', and the log knows it by that name, also when it has ended. "
            f"Choose another one, such as '{name[:62]}-2'."
        )
    key = f"cgr-{secrets.token_urlsafe(32)}"
    tx.execute(insert(keys).values(name=name, digest=digest(key), created_at=now))
    return key


def revoke(tx: Connection, name: str, now: float) -> None:
    """Ends a key.

    Raises:
        NotFoundError: There is none of that name.
    """
    valid = (keys.c.name == name, keys.c.revoked_at.is_(None))
    if not tx.execute(update(keys).where(*valid).values(revoked_at=now)).rowcount:
        raise NotFoundError(f"There is no valid key named '{name}'.")


def owner(db: Connection, key: str) -> str | None:
    """Returns the name of a key, or None when it is not valid."""
    valid = (keys.c.digest == digest(key), keys.c.revoked_at.is_(None))
    found: str | None = db.execute(select(keys.c.name).where(*valid)).scalar_one_or_none()
    return found


def listed(db: Connection) -> Sequence[Any]:
    """Returns all keys (name, created_at, revoked_at) by name."""
    return db.execute(select(keys.c.name, keys.c.created_at, keys.c.revoked_at).order_by(keys.c.name)).all()
