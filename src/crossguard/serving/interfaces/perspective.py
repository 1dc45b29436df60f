"""Perspective's `comments:analyze`, and the discovery document from which Google's clients build themselves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from crossguard.labels import HATE, LabelSet
from crossguard.records import Decision
from crossguard.serving.call import Access, Call
from crossguard.serving.endpoints import Endpoint, Family
from crossguard.serving.errors import ApiError, BadRequest, Unscorable
from crossguard.serving.interfaces.discovery import discovery_document
from crossguard.serving.json_bodies import JSON, as_json
from crossguard.serving.submission import Submission
from crossguard.serving.unions import union_score

UNION = "IDENTITY_ATTACK"
ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "OUT_OF_RANGE",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    504: "DEADLINE_EXCEEDED",
}


class TextEntry(BaseModel):
    """A text."""

    text: str = ""
    type: Literal["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"] = "PLAIN_TEXT"


class RequestedAttribute(BaseModel):
    """How an attribute is wanted."""

    scoreType: Literal["SCORE_TYPE_UNSPECIFIED", "PROBABILITY"] = "PROBABILITY"  # noqa: N815 - the name on the wire
    scoreThreshold: float | None = Field(default=None, ge=0, le=1, description="Scores below it are left out.")  # noqa: N815


class AnalyzeCommentRequest(BaseModel):
    """A comment and what is wanted of it."""

    comment: TextEntry
    requestedAttributes: dict[str, RequestedAttribute | None]  # noqa: N815
    languages: list[str] = Field(default_factory=list)
    doNotStore: bool = Field(default=False, description="Accepted; nothing is ever stored.")  # noqa: N815
    clientToken: str | None = None  # noqa: N815
    sessionId: str | None = Field(default=None, description="Accepted and not used.")  # noqa: N815
    communityId: str | None = Field(default=None, description="Accepted and not used.")  # noqa: N815
    spanAnnotations: bool = Field(default=False, description="Accepted; spans cover the whole comment.")  # noqa: N815


class Score(BaseModel):
    """A probability."""

    value: float = Field(ge=0, le=1)
    type: Literal["PROBABILITY"]


class SpanScore(BaseModel):
    """The score of a part of the comment, here always of all of it."""

    begin: int
    end: int
    score: Score


class AttributeScores(BaseModel):
    """The scores of one attribute."""

    spanScores: list[SpanScore]  # noqa: N815
    summaryScore: Score  # noqa: N815


class AnalyzeCommentResponse(BaseModel):
    """Scores by attribute."""

    attributeScores: dict[str, AttributeScores]  # noqa: N815
    languages: list[str]
    detectedLanguages: list[str] | None = None  # noqa: N815
    clientToken: str | None = None  # noqa: N815


class GoogleStatus(BaseModel):
    """What was wrong."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]]


class GoogleErrorBody(BaseModel):
    """An error as Google's APIs render it."""

    error: GoogleStatus


class AttributeNotSupportedError(BadRequest):
    """The bundle has no such attribute."""

    default_code = "ATTRIBUTE_NOT_SUPPORTED"


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Renders an error."""
    details = [{"@type": ERROR_TYPE, "errorType": error.code.upper(), "requestId": request_id}]
    status = STATUSES.get(error.status, "INTERNAL")
    return {"error": {"code": error.status, "message": error.message, "status": status, "details": details}}


FAMILY = Family("perspective", error_body, GoogleErrorBody)


async def analyze(call: Call) -> Response:
    """Scores a comment."""
    request = await call.parse(AnalyzeCommentRequest)
    labels = call.moderator.labels
    _check(request, labels, call.settings.languages)
    try:
        decision = await call.score_one(Submission("comment", request.comment.text))
    except Unscorable as error:
        raise BadRequest(error.message, code="comment_empty") from None
    scores = {}
    for name, wanted in request.requestedAttributes.items():
        value = attribute_score(decision, name)
        if wanted is None or wanted.scoreThreshold is None or value >= wanted.scoreThreshold:
            scores[name] = _scores(value, request.comment.text)
    answer: dict[str, Any] = {
        "attributeScores": scores,
        "languages": request.languages or list(call.settings.languages[:1]),
    }
    if request.clientToken is not None:
        answer["clientToken"] = request.clientToken
    return as_json(answer)


async def discovery(call: Call) -> Response:
    """Gives Google's client libraries the description of this interface, at the address that they called."""
    return as_json(discovery_document(str(call.request.base_url)))


def attributes(labels: LabelSet) -> tuple[str, ...]:
    """Returns the attributes that a bundle can score: its labels in capitals, and the union of kinds of hate."""
    own = tuple(name.upper() for name in labels.names)
    has_hate = any(name in HATE.names for name in labels.names)
    return (UNION, *own) if has_hate and UNION not in own else own


def attribute_score(decision: Decision, attribute: str) -> float:
    """Returns the score of an attribute that `attributes` names."""
    label = decision.labels.get(attribute.lower())
    if label is not None:
        return label.score
    union = union_score(decision)
    assert union is not None
    return union


def _check(request: AnalyzeCommentRequest, labels: LabelSet, languages: tuple[str, ...]) -> None:
    known = attributes(labels)
    if not request.requestedAttributes:
        raise BadRequest("requestedAttributes: at least one is needed.", code="no_requested_attributes")
    for name in request.requestedAttributes:
        if name not in known:
            raise AttributeNotSupportedError(
                f"Attribute {name[:80]} is not supported by this model. Supported: {', '.join(known)}."
            )
    other = [language for language in request.languages if language.partition("-")[0].lower() not in languages]
    if other:
        raise BadRequest(
            f"Language '{other[0][:20]}' is not supported. Supported: {', '.join(languages)}.",
            code="language_not_supported_by_attribute",
        )


def _scores(value: float, text: str) -> dict[str, Any]:
    score = {"value": value, "type": "PROBABILITY"}
    return {"spanScores": [{"begin": 0, "end": len(text), "score": score}], "summaryScore": score}


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1alpha1/comments:analyze",
        FAMILY,
        "Perspective's analyze request",
        analyze,
        requests={JSON: AnalyzeCommentRequest},
        responses={JSON: AnalyzeCommentResponse},
        example={"comment": {"text": "good morning"}, "requestedAttributes": {UNION: {}}},
        query={"key": "API key, as Google's clients send it."},
    ),
    Endpoint(
        "GET",
        "/$discovery/rest",
        FAMILY,
        "Discovery document for Google's client libraries",
        discovery,
        responses={JSON: None},
        access=Access.OPEN,
        query={"version": "Ignored; there is only v1alpha1."},
    ),
)
