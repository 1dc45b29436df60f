"""The OpenAPI file, made from the endpoints and the models that parse their bodies.

FastAPI would write it, too; but it reads and parses a body before a dependency can refuse the key, has one shape of
errors for all routes, and its page loads scripts from elsewhere. It would replace this file and the docs page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from crossguard.__about__ import __version__
from crossguard.serving.call import Access
from crossguard.serving.endpoints import PROBES, HttpEndpoint
from crossguard.serving.json_bodies import JSON

REF = "#/components/schemas/{model}"
# Statuses that an endpoint with a body may answer beside 200; those without one only refuse keys.
BODY_ERRORS = {
    "400": "The body is wrong",
    "401": "The key is missing or unknown",
    "408": "The body came too slowly",
    "413": "The body, or its number of posts, is over a cap",
    "415": "The media type is not read here",
    "422": "The post cannot be scored",
    "429": "Over the rate, or the queue is full; see Retry-After",
    "500": "The service failed",
    "504": "Not scored in time",
}
NO_ROOM = {"503": "Too many connections; see Retry-After"}
KEY_ERRORS = {name: BODY_ERRORS[name] for name in ("401", "429")}
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def openapi_document(endpoints: Iterable[HttpEndpoint]) -> dict[str, Any]:
    """Returns the description of all endpoints, OpenAPI 3.1."""
    endpoints = tuple(endpoints)
    requests = [model for endpoint in endpoints for model in endpoint.requests.values() if model is not None]
    answers = [model for endpoint in endpoints for model in endpoint.responses.values() if model is not None]
    errors = [endpoint.family.error_model for endpoint in endpoints]
    keyed, definitions = models_json_schema(
        [
            *((model, "validation") for model in dict.fromkeys(requests)),
            *((model, "serialization") for model in dict.fromkeys([*answers, *errors])),
        ],
        ref_template=REF,
    )
    schemas: dict[Any, Any] = {model: schema for (model, _), schema in keyed.items()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crossguard",
            "version": __version__,
            "description": "Scores posts (text, image or both) for hate. It helps human moderators decide.",
        },
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {}), "securitySchemes": SECURITY},
    }


def _operation(endpoint: HttpEndpoint, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handle.__name__,
        "summary": endpoint.summary,
        "tags": [endpoint.family.name],
        "responses": {
            "200": {"description": "Done", "content": _content(endpoint.responses, schemas)},
            **_errors(endpoint, schemas),
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": line, "schema": {"type": "string"}}
        for name, line in endpoint.query.items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.requests:
        content = _content(endpoint.requests, schemas)
        if endpoint.example is not None:
            content[JSON]["example"] = endpoint.example
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.access is not Access.OPEN:
        operation["security"] = [{}, {"bearer": []}, {"header": []}]
    return operation


def _content(bodies: Mapping[str, type[BaseModel] | None], schemas: Mapping[Any, Any]) -> dict[str, dict[str, Any]]:
    return {kind: {"schema": schemas[model] if model is not None else {}} for kind, model in bodies.items()}


def _errors(endpoint: HttpEndpoint, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    usual = BODY_ERRORS if endpoint.requests else {} if endpoint.access is Access.OPEN else KEY_ERRORS
    no_room = {} if endpoint.path in PROBES else NO_ROOM
    content = {JSON: {"schema": schemas[endpoint.family.error_model]}}
    told = sorted({**usual, **no_room, **endpoint.errors}.items())
    return {status: {"description": line, "content": content} for status, line in told}
