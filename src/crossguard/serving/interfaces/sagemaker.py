"""SageMaker's container contract: `/ping`, and `/invocations` with JSON or JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json
from starlette.responses import Response

from crossguard.records import Decision, Outcome, Skipped
from crossguard.serving.call import Access, Call, scored
from crossguard.serving.endpoints import Endpoint
from crossguard.serving.errors import BadRequest, BodyTooLarge, UnsupportedBody
from crossguard.serving.interfaces.score import FAMILY
from crossguard.serving.json_bodies import JSON, as_json, validated_value
from crossguard.serving.submission import Submission, picture

JSON_LINES = "application/jsonlines"
LINES = frozenset({JSON_LINES, "application/x-jsonlines", "application/x-ndjson", "application/jsonl"})


class Instance(BaseModel):
    """A post."""

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    image_base64: str | None = Field(default=None, description="A picture as base64, or as a data: URL.")
    image_text: str = Field(default="", description="Words read from the picture.")
    id: str | None = None

    def submission(self, index: int) -> Submission:
        """Returns what the service scores."""
        images = (picture(self.image_base64),) if self.image_base64 else ()
        return Submission(str(index) if self.id is None else self.id, self.text, self.image_text, images)


class Instances(BaseModel):
    """Many posts."""

    model_config = ConfigDict(extra="forbid")

    instances: list[Any] = Field(min_length=1, description="Each as for a single post; a wrong one fails alone.")


class Prediction(BaseModel):
    """The answer for one post."""

    class_predictions: dict[str, bool]
    probabilities: dict[str, float]
    any_harmful: bool
    action: str
    id: str
    model_version: str
    policy: str


class Failure(BaseModel):
    """In the place of a post that could not be scored."""

    error: str = Field(description="A stable word for programs.")
    message: str
    id: str


class Predictions(BaseModel):
    """Answers in the order of the instances."""

    predictions: list[Prediction | Failure]


class InvocationRequest(BaseModel):
    """One post, or many under `instances`."""

    model_config = ConfigDict(extra="forbid")

    instances: list[Instance] | None = None
    text: str = ""
    image_base64: str | None = None
    image_text: str = ""
    id: str | None = None


class InvocationResponse(BaseModel):
    """A prediction, or a list of them under `predictions`."""

    predictions: list[Prediction | Failure] | None = None
    class_predictions: dict[str, bool] | None = None
    probabilities: dict[str, float] | None = None
    any_harmful: bool | None = None


async def ping(call: Call) -> Response:
    """Says that the container lives; the model is loaded before the port opens."""
    return as_json({"status": "stopping" if call.service.draining else "ok"})


async def invocations(call: Call) -> Response:
    """Scores posts in any of the three forms."""
    if call.content_type in LINES:
        lines = [line for line in (await call.body.read()).splitlines() if line.strip()]
        if not lines:
            raise BadRequest("The body has no line.")
        answers = await _each(call, [_line(line) for line in lines])
        body = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
        return Response(body, media_type=JSON_LINES)
    if call.content_type != JSON:
        raise UnsupportedBody(f"The body must be {JSON} or {JSON_LINES}, and is '{call.content_type[:80]}'.")
    body_bytes = await call.body.read()
    data = parsed(body_bytes)
    if isinstance(data, dict) and "instances" in data:
        return as_json({"predictions": await _each(call, validated_value(Instances, data).instances)})
    post = validated_value(Instance, data).submission(0)
    return as_json(prediction(scored((await call.score([post]))[0])))


async def _each(call: Call, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Scores parsed rows; one that is wrong becomes a failure in its place."""
    if len(rows) > call.settings.max_posts:
        raise BodyTooLarge(f"A request may have {call.settings.max_posts} posts; this one has {len(rows)}.")
    entries = [_read(index, row) for index, row in enumerate(rows)]
    ready = [entry for entry in entries if isinstance(entry, Submission)]
    outcomes = iter(await call.score(ready))
    return [answer(entry if isinstance(entry, Skipped) else next(outcomes)) for entry in entries]


def _read(index: int, row: Any) -> Submission | Skipped:
    try:
        if isinstance(row, BadRequest):
            raise row
        return validated_value(Instance, row).submission(index)
    except BadRequest as error:
        return Skipped(str(index), error.code, error.message)


def _line(line: bytes) -> Any:
    try:
        return parsed(line)
    except BadRequest as error:
        return error


def parsed(body: bytes) -> Any:
    """Returns JSON as Python objects.

    Raises:
        BadRequest: It is not valid JSON.
    """
    try:
        return from_json(body)
    except ValueError as error:
        raise BadRequest(f"Invalid JSON: {error}", code="invalid_json") from None


def answer(outcome: Outcome) -> dict[str, Any]:
    """Renders an outcome among others."""
    if isinstance(outcome, Decision):
        return prediction(outcome)
    return {"error": outcome.reason, "message": outcome.message, "id": outcome.id}


def prediction(decision: Decision) -> dict[str, Any]:
    """Renders a decision as the reference's handler did, and adds action, model and policy."""
    card = decision.to_card()
    return {
        "class_predictions": card["predictions"],
        "probabilities": card["probabilities"],
        "any_harmful": bool(decision.flags),
        "action": decision.action.value,
        "id": decision.id,
        "model_version": f"{decision.model}-{decision.model_version}",
        "policy": decision.policy,
    }


ENDPOINTS = (
    Endpoint("GET", "/ping", FAMILY, "SageMaker's health check", ping, responses={JSON: None}, access=Access.OPEN),
    Endpoint(
        "POST",
        "/invocations",
        FAMILY,
        "SageMaker's inference request",
        invocations,
        requests={JSON: InvocationRequest, JSON_LINES: None},
        responses={JSON: InvocationResponse, JSON_LINES: None},
        example={"instances": [{"text": "good morning"}, {"text": "hello friends"}]},
    ),
)
