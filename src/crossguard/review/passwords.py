"""Passwords: argon2id with the parameters of RFC 9106 that argon2-cffi recommends."""

from __future__ import annotations

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from crossguard.review.errors import FormError

SHORTEST: Final = 10
LONGEST: Final = 200
_HASHER: Final = PasswordHasher()


def hash_password(password: str) -> str:
    """Returns the hash of a new password.

    Raises:
        FormError: It is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise FormError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    return _HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether a password is the stored one; takes the same time when nothing is stored."""
    try:
        _HASHER.verify(stored or _nobodys(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("compared with when there is nobody of a name")
