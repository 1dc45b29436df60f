"""Which content types are read, and which callers can be answered."""

from __future__ import annotations

import pytest

from crossguard.wire.sagemaker import JSON, JSON_LINES, RequestError
from crossguard.wire.sagemaker.media_types import check_accept, is_image_type, media_type


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("Application/JSON; Charset=UTF-8", JSON),
        ("application/x-ndjson", "application/x-ndjson"),
        ("image/png", "image/png"),
        ("application/x-image", "application/x-image"),
    ],
)
def test_a_type_is_known_without_case_and_parameters(given: str | None, kind: str) -> None:
    assert media_type(given) == kind
    assert is_image_type(kind) is ("image" in kind)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text/csv", "is 'text/csv'"),
        ("application/json; charset=latin-1", "its type says 'latin-1'"),
        ("imagery/png", "is 'imagery/png'"),
    ],
)
def test_another_type_or_character_set_is_415(given: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        media_type(given)
    assert refused.value.status == 415


@pytest.mark.parametrize("accept", [None, "", "*/*", "application/*;q=0.1", f"text/html, {JSON_LINES}; q=0.9"])
def test_a_caller_who_takes_json_in_some_way_is_answered(accept: str | None) -> None:
    check_accept(accept)


def test_a_caller_who_takes_none_is_told() -> None:
    with pytest.raises(RequestError, match="accepts only 'text/csv, image/") as refused:
        check_accept("text/csv, image/*")
    assert refused.value.status == 406
