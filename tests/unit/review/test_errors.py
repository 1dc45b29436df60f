"""What the console refuses, and the status that says so."""

from __future__ import annotations

import pytest

from crossguard.errors import InputError
from crossguard.review.errors import (
    ClaimLostError,
    FormError,
    NotAllowedError,
    NotFoundError,
    ReviewError,
    TooManyAttemptsError,
)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ReviewError, 409),
        (ClaimLostError, 409),
        (FormError, 422),
        (NotAllowedError, 403),
        (NotFoundError, 404),
        (TooManyAttemptsError, 429),
    ],
)
def test_every_refusal_is_the_persons_to_know(kind: type[ReviewError], status: int) -> None:
    error = kind("Choose an action.")
    assert isinstance(error, InputError)
    assert (error.status, str(error)) == (status, "Choose an action.")
