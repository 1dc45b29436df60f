"""What Perspective's clients send and read."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from crossguard.serving.endpoints import Family
from crossguard.serving.errors import ApiError
from crossguard.serving.json_bodies import NullIsAbsent

ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "OUT_OF_RANGE",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Message(NullIsAbsent):
    """A message as Google reads its JSON: null is absent, and a name may be written in both ways.

    See https://protobuf.dev/programming-guides/json/.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _map(value: object) -> object:
    """Reads an empty list as an empty object, which is how PHP writes both."""
    if isinstance(value, dict):
        return {name: {} if entry is None or entry == [] else entry for name, entry in value.items()}
    return {} if value == [] else value


def _number(value: object) -> object:
    """Reads a number that was written as a string, which protobuf's JSON allows; another string is left to be told."""
    with contextlib.suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


Languages = Annotated[list[str], BeforeValidator(_list)]


class TextEntry(Message):
    """A text."""

    text: str = ""
    type: Literal["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"] = "PLAIN_TEXT"


class AttributeParameters(Message):
    """How an attribute is wanted."""

    score_type: Literal["SCORE_TYPE_UNSPECIFIED", "PROBABILITY"] = "PROBABILITY"
    score_threshold: Annotated[float, BeforeValidator(_number)] = Field(
        default=0, ge=0, le=1, description="Scores below it are left out."
    )


class AnalyzeCommentRequest(Message):
    """A comment and what is wanted of it. Perspective's other fields, such as `context`, are accepted and not used."""

    comment: TextEntry
    requested_attributes: Annotated[dict[str, AttributeParameters], BeforeValidator(_map)] = Field(
        default_factory=dict, description="By name; `NAME@VERSION` asks for a version of the served model."
    )
    languages: Languages = Field(default_factory=list)
    do_not_store: bool = Field(default=False, description="Accepted; nothing is stored of what is analyzed.")
    client_token: str | None = None
    session_id: str | None = Field(default=None, description="Accepted and not used.")
    community_id: str | None = Field(default=None, description="Accepted and not used.")
    span_annotations: bool = Field(default=False, description="Whether each sentence is scored, too.")


class Score(Message):
    """A probability."""

    value: Annotated[float, BeforeValidator(_number)] = Field(ge=0, le=1)
    type: Literal["PROBABILITY", "SCORE_TYPE_UNSPECIFIED"] = "PROBABILITY"


class SpanScore(Message):
    """The score of a part of the comment, in characters."""

    begin: int = 0
    end: int = 0
    score: Score


class AttributeScores(Message):
    """The scores of one attribute."""

    span_scores: list[SpanScore] = Field(default_factory=list)
    summary_score: Score


class Additions(BaseModel):
    """What this service says beside Perspective's own fields."""

    estimated: dict[str, str] = Field(
        default_factory=dict, description="Attributes that the model lacks, and the one whose score they were given."
    )
    omitted: list[str] = Field(
        default_factory=list, description="Attributes that the model lacks and that were left out."
    )
    unsupported_language: str | None = Field(
        default=None,
        description="Language of the comment, where the model was not made for it: the scores mean little then.",
    )


class AnalyzeCommentResponse(Message):
    """Scores by attribute."""

    attribute_scores: dict[str, AttributeScores]
    languages: list[str]
    detected_languages: list[str] | None = None
    client_token: str | None = None
    crossguard: Additions | None = None


class SuggestCommentScoreRequest(Message):
    """A comment and the scores that a person would have given it."""

    comment: TextEntry
    attribute_scores: Annotated[dict[str, AttributeScores], BeforeValidator(_map)] = Field(default_factory=dict)
    languages: Languages = Field(default_factory=list)
    client_token: str | None = None
    community_id: str | None = None


class SuggestCommentScoreResponse(Message):
    """That the suggestion was received."""

    client_token: str | None = None
    requested_languages: list[str] | None = None


class GoogleStatus(BaseModel):
    """What was wrong."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]]


class GoogleErrorBody(BaseModel):
    """An error as Google's APIs render it."""

    error: GoogleStatus


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Renders an error."""
    details = [{"@type": ERROR_TYPE, "errorType": error.code.upper(), "requestId": request_id}]
    status = STATUSES.get(error.status, "INTERNAL")
    return {"error": {"code": error.status, "message": error.message, "status": status, "details": details}}


FAMILY = Family("perspective", error_body, GoogleErrorBody)
