"""Errors say whose fault they are, and programs can tell them apart."""

from __future__ import annotations

import re

import pytest

from crossguard.serving import errors
from crossguard.serving.errors import ApiError, InternalError, Overloaded

KINDS = ApiError.__subclasses__()


def test_all_say_that_the_request_or_the_service_failed() -> None:
    failing = {kind.__name__ for kind in KINDS if not 400 <= kind.status < 500}
    assert failing == {"InternalError", "TooManyConnections", "DeadlineExceeded"}
    assert {InternalError.status, errors.DeadlineExceeded.status} == {500, 504}


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
