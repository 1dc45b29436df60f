"""SageMaker's container contract: `/ping`, and `/invocations` in the wire format of `crossguard.wire.sagemaker`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from crossguard.serving.call import Access, Call
from crossguard.serving.endpoints import OPERATIONS, Family, HttpEndpoint
from crossguard.serving.errors import ApiError, BadRequest, BodyTooLarge, NotAcceptable, UnsupportedBody
from crossguard.serving.json_bodies import JSON, as_json
from crossguard.wire.sagemaker import JSON_LINES, Failure, Instance, Prediction, RequestError, check_accept, read, write

REFUSALS: dict[int, type[ApiError]] = {
    kind.status: kind for kind in (BadRequest, NotAcceptable, BodyTooLarge, UnsupportedBody)
}


class InvocationRequest(Instance):
    """One post, or many under `instances`."""

    instances: list[Instance] | None = Field(default=None, min_length=1, description="A wrong one fails alone.")


class InvocationResponse(BaseModel):
    """A prediction, or a list of them under `predictions`."""

    predictions: list[Prediction | Failure] | None = None
    class_predictions: dict[str, bool] | None = None
    probabilities: dict[str, float] | None = None
    any_harmful: bool | None = None
    action: str | None = None
    id: str | None = None
    model_version: str | None = None
    policy: str | None = None


class RefusalBody(BaseModel):
    """An error; with 422, no post of the request could be scored, and the body has the form of an answer."""

    error: str | None = None
    message: str | None = None
    predictions: list[Failure] | None = None


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Renders an error."""
    return {"error": error.code, "message": error.message, "request_id": request_id}


FAMILY = Family("sagemaker", error_body, RefusalBody)
PROBE = replace(FAMILY, name=OPERATIONS)


async def ping(call: Call) -> Response:
    """Says that the container lives; the model is loaded before the port opens."""
    return as_json({"status": "stopping" if call.service.draining else "ok"})


async def invocations(call: Call) -> Response:
    """Scores posts in any of the forms."""
    headers = call.request.headers
    body = await call.body.read()
    try:
        check_accept(headers.get("accept"))
        invocation = read(body, headers.get("content-type"), max_posts=call.settings.max_posts)
        reply = write(invocation.form, await call.score(invocation.posts))
    except RequestError as error:
        raise REFUSALS[error.status](str(error), code=error.code) from None
    return Response(reply.body, reply.status, media_type=reply.content_type)


ENDPOINTS = (
    HttpEndpoint("GET", "/ping", PROBE, "SageMaker's health check", ping, responses={JSON: None}, access=Access.OPEN),
    HttpEndpoint(
        "POST",
        "/invocations",
        FAMILY,
        "SageMaker's inference request",
        invocations,
        requests={JSON: InvocationRequest, JSON_LINES: None, "image/*": None},
        responses={JSON: InvocationResponse, JSON_LINES: None},
        example={"instances": [{"text": "good morning"}, {"text": "hello friends"}]},
        errors={"406": "The caller takes neither JSON nor JSON Lines"},
    ),
)
