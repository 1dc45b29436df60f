"""OpenAI's moderation endpoint, as a superset: several images per request, our labels as categories, our decision.

Categories of OpenAI that the model does not measure are present, because typed clients read them: `false`, 0, and an
empty `category_applied_input_types`, which is how OpenAI itself says that a category was not applied.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag
from starlette.responses import Response

from crossguard.errors import suggest
from crossguard.labels import HATE
from crossguard.preparation import POST_EMPTY
from crossguard.records import Action, Decision, Post
from crossguard.schema import DecisionRecord
from crossguard.serving.call import Call, scored
from crossguard.serving.endpoints import Family, HttpEndpoint
from crossguard.serving.errors import ApiError, BadRequest, BodyTooLarge, NotFound, Unscorable
from crossguard.serving.hate import hate_labels, union_score
from crossguard.serving.json_bodies import JSON, as_json
from crossguard.serving.settings import ServeSettings
from crossguard.serving.submitted_post import check_posts, counted, image_of

# The categories of omni-moderation-latest.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
MAX_PARTS = 1000
"""Most texts and images that one post consists of."""
# Names that existing callers send; all of them mean the model that is served.
ALIASES = ("omni-moderation", "text-moderation")


class TextPart(BaseModel):
    """A piece of the post's text."""

    type: Literal["text"]
    text: str


class ImageAddress(BaseModel):
    """Where an image is."""

    url: str = Field(description="A data: URL, or an http(s) URL where the service fetches.")


class ImagePart(BaseModel):
    """An image of the post."""

    type: Literal["image_url"]
    image_url: ImageAddress


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


def _kind(value: Any) -> str | None:
    """Returns which input this wants to be, so that an error speaks of that one alone."""
    if isinstance(value, str):
        return "text"
    if not isinstance(value, list):
        return None
    kinds = set(map(type, value))
    if {str, dict} <= kinds:
        return None
    return "parts" if dict in kinds else "texts"


def _check_parts(count: int, _: ServeSettings) -> None:
    if count > MAX_PARTS:
        raise BodyTooLarge(f"A post may have {MAX_PARTS} parts; this one has {count}.", code="too_many_parts")


Input = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[list[str], counted(check_posts), Tag("texts")]
    | Annotated[list[Part], counted(_check_parts), Tag("parts")],
    Discriminator(
        _kind,
        custom_error_type="input_shape",
        custom_error_message="Input should be a text, a list of texts, or a list of parts such as "
        '{"type": "text", "text": ...}; one list cannot mix texts and parts',
    ),
]


class ModerationRequest(BaseModel):
    """A text, several texts (a result each), or the parts of one post (one result)."""

    input: Input
    model: str = "omni-moderation-latest"


class ModerationResult(BaseModel):
    """The answer for one input."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]
    decision: DecisionRecord


class ModerationResponse(BaseModel):
    """Answers in the order of the inputs."""

    id: str
    model: str
    results: list[ModerationResult]


class OpenAIErrorDetail(BaseModel):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorBody(BaseModel):
    """An error as OpenAI renders it."""

    error: OpenAIErrorDetail


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:  # noqa: ARG001 - the shape has no place for it
    """Renders an error."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    server = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "server_error" if server else kinds.get(error.status, "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}


FAMILY = Family("openai", error_body, OpenAIErrorBody)


async def moderations(call: Call) -> Response:
    """Scores the input of a moderation request."""
    request = await call.parse(ModerationRequest)
    name = _model_name(call, request.model)
    posts = submissions(request)
    outcomes = await call.score(posts)
    for place, outcome in enumerate(outcomes):
        # "Not flagged" is the answer to no text at all, and to nothing else that was not scored.
        if outcome.error is not None and outcome.error.code != POST_EMPTY:
            where = f"input.{place}: " if len(posts) > 1 else ""
            try:
                scored(outcome)
            except Unscorable as error:
                raise BadRequest(f"{where}{error.message}", code=error.code) from None
    results = [
        result(post, outcome, call.moderator.labels.names) for post, outcome in zip(posts, outcomes, strict=True)
    ]
    return as_json({"id": f"modr-{uuid.uuid4().hex}", "model": name, "results": results})


def submissions(request: ModerationRequest) -> list[Post]:
    """Returns the posts of a request; raises BadRequest where its list is empty."""
    entries = [request.input] if isinstance(request.input, str) else request.input
    texts = [entry for entry in entries if isinstance(entry, str)]
    if texts:
        return [Post(str(index), text) for index, text in enumerate(texts)]
    if not entries:
        raise BadRequest("input: the list is empty.")
    words = " ".join(part.text for part in entries if isinstance(part, TextPart))
    images = tuple(image_of(part.image_url.url) for part in entries if isinstance(part, ImagePart))
    return [Post("0", words, more_images=images)]


def result(post: Post, outcome: Decision, labels: tuple[str, ...]) -> dict[str, Any]:
    """Returns the result of one input; a post that could not be scored has no applied category."""
    flags = dict.fromkeys((*CATEGORIES, *map(category, labels)), False)
    scores = dict.fromkeys(flags, 0.0)
    applied: dict[str, list[str]] = {name: [] for name in flags}
    inputs = ["text"] * bool(post.text) + ["image"] * bool(post.images)
    if outcome.ok:
        for name, label in outcome.labels.items():
            flags[category(name)], scores[category(name)] = label.flagged, label.score
            applied[category(name)] = inputs
        union = union_score(outcome)
        if union is not None:
            flags["hate"], scores["hate"] = any(outcome.labels[name].flagged for name in hate_labels(outcome)), union
            applied["hate"] = inputs
    return {
        # An attribute, which is no category, may be what the policy blocks by.
        "flagged": any(flags.values()) or outcome.action is Action.BLOCK,
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": applied,
        "decision": outcome.to_dict(),
    }


def category(label: str) -> str:
    """Returns the category of a label: `hate/racist` for a kind of hate, the label's own name otherwise."""
    return f"hate/{label}" if label in HATE.names else label


def _model_name(call: Call, asked: str) -> str:
    model = call.moderator.bundle.manifest.model
    known = (model.name, f"{model.name}-{model.version}")
    if asked in known or asked.startswith(ALIASES):
        return known[1]
    raise NotFound(f"Unknown model '{asked[:80]}'.{suggest(asked[:80], known)}", code="model_not_found")


ENDPOINTS = (
    HttpEndpoint(
        "POST",
        "/v1/moderations",
        FAMILY,
        "OpenAI's moderation request",
        moderations,
        requests={JSON: ModerationRequest},
        responses={JSON: ModerationResponse},
        example={"input": [{"type": "text", "text": "good morning"}]},
        errors={"404": "No such model"},
    ),
)
