"""Passwords: hashed by argon2id with the parameters of RFC 9106 that argon2-cffi recommends, few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crossguard.review.errors import FormError, TooManyAttemptsError

SHORTEST: Final = 10
LONGEST: Final = 200
PLACES: Final = 8
"""Requests that hash or wait for it; others are refused, as each holds one of the 40 threads that answer all pages."""
PLACES_OF_NETWORK: Final = 4
"""The same from one network, so that a stranger there leaves places to others."""
_HASHER: Final = PasswordHasher()
_HASHING: Final = threading.Semaphore(2)
"""Each takes 64 MiB and several cores, so that many at once would cost others their pages."""
_TAKEN: Final[list[str]] = []  # the networks of those who have a place
_TAKING: Final = threading.Lock()


def hash_password(password: str, network: str) -> str:
    """Returns the hash of a new password, for somebody of a network.

    Raises:
        FormError: It is too short or too long.
        TooManyAttemptsError: Too many passwords are hashed at the moment.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise FormError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    with _place(network):
        return _HASHER.hash(password)


def matches(stored: str | None, password: str, network: str) -> bool:
    """Whether a password from a network is the stored one; takes the same time when nothing is stored.

    Raises:
        TooManyAttemptsError: Too many passwords are hashed at the moment.
    """
    try:
        with _place(network):
            _HASHER.verify(stored or _nobodys(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@contextmanager
def _place(network: str) -> Iterator[None]:
    """Waits for a turn to hash, unless too many wait already."""
    with _TAKING:
        if len(_TAKEN) >= PLACES or _TAKEN.count(network) >= PLACES_OF_NETWORK:
            raise TooManyAttemptsError("Too many people are logging in at this moment. Try again in a few seconds.")
        _TAKEN.append(network)
    try:
        with _HASHING:
            yield
    finally:
        with _TAKING:
            _TAKEN.remove(network)


@cache
def _nobodys() -> str:
    return _HASHER.hash("compared with when there is nobody of a name")
