"""What a person or a caller of the console is told when something cannot be done."""

from __future__ import annotations

from crossguard.errors import InputError


class ReviewError(InputError):
    """An act that the console refuses; the message says why and what would work."""

    status = 409

    def __init_subclass__(cls, *, status: int | None = None) -> None:
        super().__init_subclass__()
        cls.status = status or cls.status


class ClaimLostError(ReviewError):
    """The item is somebody else's, or decided already."""


class FormError(ReviewError, status=422):
    """What was filled in lacks something, or names what does not exist."""


class NotAllowedError(ReviewError, status=403):
    """The person's role or queues do not include this."""


class LoginEndedError(ReviewError, status=401):
    """The form is from an earlier login; the browser keeps the answer in it until somebody logs in again."""


class NotFoundError(ReviewError, status=404):
    """There is no such thing."""


class TooManyAttemptsError(ReviewError, status=429):
    """Logging in failed too often, or too many log in at the moment."""
