"""Google's JSON, in all the ways in which clients write it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from crossguard.serving.errors import ApiError, BadRequest, DeadlineExceeded, InternalError, NotFound, TooManyPosts
from crossguard.serving.interfaces.perspective.schema import (
    AnalyzeCommentRequest,
    GoogleErrorBody,
    Score,
    SuggestCommentScoreRequest,
    error_body,
)
from crossguard.serving.json_bodies import validated


def analyzed(**body: Any) -> AnalyzeCommentRequest:
    return AnalyzeCommentRequest.model_validate({"comment": {"text": "a"}, **body})


def test_both_spellings_of_a_name_are_read() -> None:
    one = analyzed(requestedAttributes={"A": {"scoreThreshold": 0.5}}, spanAnnotations=True, communityId="c")
    other = analyzed(requested_attributes={"A": {"score_threshold": 0.5}}, span_annotations=True, community_id="c")
    assert one == other
    assert one.requested_attributes["A"].score_threshold == 0.5


def test_null_is_absent_and_an_empty_list_an_empty_object() -> None:
    absent = analyzed(requestedAttributes={"A": None, "B": []}, languages=None, clientToken=None)
    assert absent == analyzed(requestedAttributes={"A": {}, "B": {}})
    assert analyzed(requestedAttributes=[]).requested_attributes == {}
    assert SuggestCommentScoreRequest.model_validate({"comment": {}, "attributeScores": []}).attribute_scores == {}


def test_one_language_may_be_a_word_and_a_number_a_string() -> None:
    assert analyzed(languages="en").languages == ["en"]
    assert Score.model_validate({"value": "0.25"}).value == 0.25


@pytest.mark.parametrize(
    "wrong",
    [
        {"requestedAttributes": {"A": {"scoreThreshold": 1.5}}},
        {"requestedAttributes": {"A": {"scoreThreshold": "much"}}},
        {"requestedAttributes": {"A": {"scoreType": "STD_DEV_SCORE"}}},
        {"requestedAttributes": ["A"]},
        {"comment": {"text": "a", "type": "MARKDOWN"}},
    ],
)
def test_what_google_refuses_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        analyzed(**wrong)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("no", code="comment_empty"), "INVALID_ARGUMENT"),
        (NotFound("no"), "NOT_FOUND"),
        (TooManyPosts("no"), "RESOURCE_EXHAUSTED"),
        (DeadlineExceeded("no"), "DEADLINE_EXCEEDED"),
        (InternalError("no"), "INTERNAL"),
    ],
)
def test_errors_have_googles_status(error: ApiError, status: str) -> None:
    body = GoogleErrorBody.model_validate(error_body(error, "id")).error
    assert (body.code, body.status, body.message) == (error.status, status, "no")
    assert (body.details[0]["errorType"], body.details[0]["requestId"]) == (error.code.upper(), "id")


def test_paths_and_methods_that_do_not_exist_have_it_too(perspective: TestClient) -> None:
    for answer in (
        perspective.get("/v1alpha1/comments:analyze"),
        perspective.post("/v1alpha1/comments:judge", json={}),
        perspective.get("/v1alpha1/"),
    ):
        assert answer.json()["error"]["code"] == answer.status_code
        assert answer.json()["error"]["status"] == "NOT_FOUND"


def test_a_number_that_is_none_is_told_without_what_was_sent() -> None:
    with pytest.raises(BadRequest) as refused:
        validated(Score, '{"value": "qzxv"}')
    assert "qzxv" not in refused.value.message
