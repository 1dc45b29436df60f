"""Failed logins: few of a name are let pass in a while. Names and addresses are stored as digests only."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from crossguard.review.errors import TooManyAttemptsError
from crossguard.review.store.people import digest
from crossguard.review.store.schema import attempts

WINDOW_S: Final = 900
FAILURES: Final = 10
"""Failed logins of a name from one address, or IPv6 network, in `WINDOW_S` seconds; more have to wait."""
FAILURES_OF_NAME: Final = 100
"""The same from all addresses together; higher, so that a stranger cannot easily lock somebody out."""


def check(db: Connection, name: str, address: str, now: float) -> None:
    """Checks that logging in has not failed too often.

    Raises:
        TooManyAttemptsError: It has.
    """
    for key, most in zip(_keys(name, address), (FAILURES, FAILURES_OF_NAME), strict=True):
        recent = (attempts.c.key == key, attempts.c.at > now - WINDOW_S)
        if db.execute(select(func.count()).where(*recent)).scalar_one() >= most:
            raise TooManyAttemptsError("Logging in failed too often. Wait 15 minutes, or ask an admin for a new link.")


def note(tx: Connection, name: str, address: str, now: float) -> None:
    """Counts a failed login, and forgets old ones."""
    tx.execute(delete(attempts).where(attempts.c.at <= now - WINDOW_S))
    tx.execute(insert(attempts), [{"key": key, "at": now} for key in _keys(name, address)])


def forget(tx: Connection, name: str, address: str) -> None:
    """Lets somebody who proved to be who they are log in from an address at once."""
    tx.execute(delete(attempts).where(attempts.c.key.in_(_keys(name, address))))


def _keys(name: str, address: str) -> tuple[str, str]:
    lower = name.strip().lower()
    return digest(f" {address} {lower}"), digest(lower)  # a blank first, so that no name is taken for both
