"""Puts the endpoints of all interfaces behind one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from crossguard.serving.interfaces import ENDPOINTS
from crossguard.serving.json_bodies import as_json
from crossguard.serving.middleware import Envelope
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
        middleware=[Middleware(Envelope, service=service)],
        exception_handlers={HTTPException: _unmatched},
        lifespan=lifespan,
    )
    app.state.openapi = openapi_document(ENDPOINTS)
    return app


async def _unmatched(request: Request, error: Exception) -> Response:
    """Answers a path or method that no endpoint has."""
    assert isinstance(error, HTTPException)
    paths = ", ".join(endpoint.path for endpoint in ENDPOINTS if endpoint.method == "POST")
    exchange = request.scope["crossguard"]
    exchange.code = "not_found" if error.status_code == 404 else "method_not_allowed"  # noqa: PLR2004
    message = f"No endpoint for this method and path. For scoring: {paths}. All: /docs."
    body = {"error": {"code": exchange.code, "message": message, "request_id": exchange.request_id}}
    return as_json(body, error.status_code, error.headers)
