"""Puts the endpoints of all interfaces behind one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response

from crossguard.serving.docs_page import docs_page
from crossguard.serving.endpoints import Family
from crossguard.serving.errors import MethodNotAllowed, NotFound
from crossguard.serving.interfaces import ENDPOINTS, perspective, score
from crossguard.serving.json_bodies import as_json
from crossguard.serving.middleware import RequestEnvelope
from crossguard.serving.openapi import openapi_document
from crossguard.serving.service import Service


def create_app(service: Service) -> Starlette:
    """Returns the application of a service; its lifespan starts and stops the service."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = Starlette(
        routes=[endpoint.route(service) for endpoint in ENDPOINTS],
        middleware=[*_cors(service.settings.cors_origins), Middleware(RequestEnvelope, service=service)],
        exception_handlers={HTTPException: _unmatched},
        lifespan=lifespan,
    )
    document = openapi_document(ENDPOINTS)
    # Encoded once: whoever has no key may ask for it again and again.
    app.state.openapi = as_json(document).body
    app.state.docs = docs_page(document)
    return app


def _cors(origins: Sequence[str]) -> list[Middleware]:
    """Returns what lets scripts of these origins read answers in a browser; credentials of the browser stay out."""
    if not origins:
        return []
    versions = [
        "x-crossguard-model",
        "x-crossguard-policy",
        "x-crossguard-estimated",
        "x-crossguard-unsupported-language",
    ]
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key"],
            expose_headers=["x-request-id", "retry-after", *versions],
        )
    ]


async def _unmatched(request: Request, error: Exception) -> Response:
    """Answers a path or method that no endpoint has."""
    assert isinstance(error, HTTPException)
    paths = ", ".join(endpoint.path for endpoint in ENDPOINTS if endpoint.method == "POST")
    exchange = request.scope["crossguard"]
    kind = NotFound if error.status_code == NotFound.status else MethodNotAllowed
    refused = kind(f"No endpoint for this method and path. For scoring: {paths}. All: /docs.")
    exchange.code = refused.code
    body = _family(request.url.path).error_body(refused, exchange.request_id)
    return as_json(body, error.status_code, error.headers)


def _family(path: str) -> Family:
    """Returns whose clients a path without an endpoint was meant for: those of the same version or path, else ours."""
    theirs = {endpoint.path: endpoint.family for endpoint in ENDPOINTS} | {"/v1alpha1/": perspective.FAMILY}
    return next((family for begin, family in theirs.items() if path.startswith(begin)), score.FAMILY)
