"""What a person or a caller of the console is told when something cannot be done."""

from __future__ import annotations

from crossguard.errors import InputError


class ReviewError(InputError):
    """An act that the console refuses; the message says why and what would work."""

    status = 409


class ClaimLostError(ReviewError):
    """The item is somebody else's, or decided already."""


class FormError(ReviewError):
    """What was filled in lacks something, or names what does not exist."""

    status = 422


class NotAllowedError(ReviewError):
    """The person's role or queues do not include this."""

    status = 403


class NotFoundError(ReviewError):
    """There is no such thing."""

    status = 404


class TooManyAttemptsError(ReviewError):
    """Logging in failed too often."""

    status = 429
