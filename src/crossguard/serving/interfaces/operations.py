"""For those who run the service: health, metrics, models, documentation, reload."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from crossguard.moderator import Moderator
from crossguard.serving.call import Access, Call
from crossguard.serving.docs_page import CONTENT_SECURITY
from crossguard.serving.endpoints import OPERATIONS, HttpEndpoint
from crossguard.serving.errors import BadRequest, NotFound
from crossguard.serving.interfaces import score
from crossguard.serving.interfaces.perspective.attributes import known_attributes
from crossguard.serving.json_bodies import JSON, as_json

FAMILY = replace(score.FAMILY, name=OPERATIONS)
STUCK_S = 120.0
"""Seconds after which a batch that has not been inferred never will be."""


class StatusBody(BaseModel):
    """How the service is."""

    status: str


class ModelBody(BaseModel):
    """A model, in the shape of OpenAI's list and with what Crossguard knows of it."""

    id: str
    object: str
    created: int
    owned_by: str
    version: str
    labels: dict[str, str]
    policy: str
    policy_version: str
    policies: list[str]
    runtime: str
    perspective_attributes: list[str]


class ModelsBody(BaseModel):
    """The models that are served; one."""

    object: str
    data: list[ModelBody]


async def healthz(call: Call) -> Response:
    """Says that the process lives and infers."""
    if call.service.served.base.stalled_s() > STUCK_S:
        return as_json({"status": "stuck"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return as_json({"status": "ok"})


async def readyz(call: Call) -> Response:
    """Says whether new requests should be sent here."""
    if call.service.draining:
        return as_json({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return as_json({"status": "ready"})


async def metrics(call: Call) -> Response:
    """Gives the metrics to Prometheus."""
    return Response(call.service.telemetry.render(), media_type=CONTENT_TYPE_LATEST)


async def models(call: Call) -> Response:
    """Lists the model that is served."""
    return as_json({"object": "list", "data": [describe(call.moderator)]})


async def model(call: Call) -> Response:
    """Describes the model of that name."""
    description = describe(call.moderator)
    name = str(call.request.path_params["name"])
    if name not in {description["id"], f"{description['id']}-{description['version']}"}:
        raise NotFound(f"Unknown model '{name[:80]}'. Known: {description['id']}.", code="model_not_found")
    return as_json(description)


async def reload(call: Call) -> Response:
    """Reads model, policies and keys again."""
    error = await asyncio.shield(call.service.reload())
    if error is not None:
        raise BadRequest(f"Not reloaded; the old model serves on. {error}", code="reload_failed")
    return as_json({"status": "reloaded"})


async def openapi(call: Call) -> Response:
    """Gives the OpenAPI file."""
    return Response(call.request.app.state.openapi, media_type=JSON)


async def docs(call: Call) -> Response:
    """Shows the OpenAPI file to people."""
    page = call.request.app.state.docs
    return Response(page, media_type="text/html", headers={"content-security-policy": CONTENT_SECURITY})


def describe(moderator: Moderator) -> dict[str, Any]:
    """Returns what is known of a model."""
    manifest = moderator.bundle.manifest
    return {
        "id": manifest.model.name,
        "object": "model",
        "created": 0,
        "owned_by": "crossguard",
        "version": manifest.model.version,
        "labels": {label.name: label.meaning for label in moderator.labels},
        "policy": moderator.policy.name,
        "policy_version": moderator.policy.version,
        "policies": list(manifest.policies),
        "runtime": moderator.runtime.name,
        "perspective_attributes": list(known_attributes(moderator)),
    }


ENDPOINTS = (
    HttpEndpoint(
        "GET",
        "/healthz",
        FAMILY,
        "Is the process alive?",
        healthz,
        responses={JSON: StatusBody},
        access=Access.OPEN,
        errors={"503": "The service no longer infers; start it again"},
    ),
    HttpEndpoint(
        "GET",
        "/readyz",
        FAMILY,
        "Should requests come here?",
        readyz,
        responses={JSON: StatusBody},
        access=Access.OPEN,
        errors={"503": "The service is about to stop"},
    ),
    HttpEndpoint("GET", "/metrics", FAMILY, "Metrics for Prometheus", metrics, responses={"text/plain": None}),
    HttpEndpoint("GET", "/v1/models", FAMILY, "The model that is served", models, responses={JSON: ModelsBody}),
    HttpEndpoint(
        "GET",
        "/v1/models/{name}",
        FAMILY,
        "One model",
        model,
        responses={JSON: ModelBody},
        errors={"404": "No such model"},
    ),
    HttpEndpoint(
        "POST",
        "/v1/admin/reload",
        FAMILY,
        "Read model, policies and keys again",
        reload,
        responses={JSON: StatusBody},
        access=Access.ADMIN,
        errors={
            "400": "The new model cannot be used; the old one stays",
            "403": "Not an admin's key",
            "500": "The service failed",
            "504": "Not loaded in time; the reload goes on",
        },
    ),
    HttpEndpoint("GET", "/openapi.json", FAMILY, "OpenAPI", openapi, responses={JSON: None}, access=Access.OPEN),
    HttpEndpoint("GET", "/docs", FAMILY, "This page", docs, responses={"text/html": None}, access=Access.OPEN),
)
