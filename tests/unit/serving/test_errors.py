"""The drawing of the errors is true, and programs can tell them apart."""

from __future__ import annotations

import re

import pytest

from crossguard.serving import errors
from crossguard.serving.errors import ApiError, InternalError, Overloaded

KINDS = ApiError.__subclasses__()


def test_the_drawing_has_every_error_with_its_status() -> None:
    drawn = dict(re.findall(r"── (\w+) +(\d{3})", errors.__doc__ or ""))
    own = [kind for kind in KINDS if kind.__module__ == errors.__name__]
    assert drawn == {kind.__name__: str(kind.status) for kind in own}


def test_no_two_have_the_same_word() -> None:
    codes = [kind.default_code for kind in KINDS if kind.__module__ == errors.__name__]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_more_exact_word_takes_the_place_of_the_usual_one(kind: type[ApiError]) -> None:
    exact = ApiError.__new__(kind)
    ApiError.__init__(exact, "It failed.", code="exact")
    assert (exact.code, exact.message, str(exact), exact.retry_after) == ("exact", "It failed.", "It failed.", None)


def test_the_usual_word_and_when_to_come_back() -> None:
    assert InternalError("x").code == "internal_error"
    assert (Overloaded("x", retry_after=3).code, Overloaded("x", retry_after=3).retry_after) == ("overloaded", 3)
