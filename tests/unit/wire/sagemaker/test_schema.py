"""The records of SageMaker's wire format."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from pydantic import ValidationError

from crossguard.records import Post
from crossguard.wire.sagemaker.schema import (
    JSON,
    JSON_LINES,
    Instance,
    RequestError,
    check_accept,
    is_image_type,
    media_type,
)


def test_a_post_is_named_by_its_caller_or_by_its_place() -> None:
    assert Instance.model_validate({"text": "a"}).post("3") == Post("3", "a")
    assert Instance.model_validate({"text": "a", "id": 0}).post("3").id == "0"
    assert Instance.model_validate({"text": "a", "id": ""}).post("3").id == ""
    assert Instance.model_validate({}).post("3") == Post("3")


@pytest.mark.parametrize(
    ("fields", "image"),
    [
        ({"image_base64": "QUJD"}, "data:;base64,QUJD"),
        ({"image_base64": "data:image/png;base64,QUJD"}, "data:image/png;base64,QUJD"),
        ({"image_base64": "/etc/hostname"}, "data:;base64,/etc/hostname"),
        ({"image_base64": "https://a/b.png"}, "data:;base64,https://a/b.png"),
        ({"image_url": "https://a/b.png"}, "https://a/b.png"),
        ({"image_base64": "QUJD", "image_url": "https://a/b.png"}, "data:;base64,QUJD"),
        ({"image_base64": "", "image_url": ""}, None),
    ],
)
def test_an_image_is_bytes_or_an_address(fields: dict[str, str], image: str | None) -> None:
    assert Instance.model_validate(fields).post("0").image == image


@pytest.mark.parametrize("wrong", [{"txt": "a"}, {"text": 3}, {"id": 1.5}])
def test_what_is_no_post_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Instance.model_validate(wrong)


def test_a_refusal_tells_programs_and_people() -> None:
    error = RequestError(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", "Take JSON, h\u00e9.")
    assert error.status == 406
    assert json.loads(error.to_json()) == {"error": "not_acceptable", "message": "Take JSON, h\u00e9."}
    assert error.to_json().isascii()


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
