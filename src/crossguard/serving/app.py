"""Puts the endpoints of all interfaces behind one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from crossguard.serving.call import Call
from crossguard.serving.docs_page import docs_page
from crossguard.serving.endpoints import Family, error_response
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

    cors = Middleware(
        CORSMiddleware,  # credentials of the browser stay out
        allow_origins=service.settings.cors_origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],  # clients such as OpenAI's add some of their own
        expose_headers=["*"],
    )
    app = Starlette(
        routes=[endpoint.route(service) for endpoint in ENDPOINTS],
        middleware=[
            *([cors] if service.settings.cors_origins else []),
            Middleware(RequestEnvelope, service=service, endpoints=ENDPOINTS),
        ],
        exception_handlers={HTTPException: partial(_unmatched, service)},
        lifespan=lifespan,
    )
    # A redirect from /v1/score/ would lose the body of a client that does not follow it, and the https of a proxy.
    app.router.redirect_slashes = False
    document = openapi_document(ENDPOINTS)
    # Encoded once: whoever has no key may ask for it again and again.
    app.state.openapi = as_json(document).body
    app.state.docs = docs_page(document)
    return app


async def _unmatched(service: Service, request: Request, error: Exception) -> Response:
    """Answers a path or method that no endpoint has."""
    assert isinstance(error, HTTPException)
    if request.method == "GET" and request.url.path == "/" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("docs")  # what a person meets who opens the address that `crossguard serve` prints
    kind = NotFound if error.status_code == NotFound.status else MethodNotAllowed
    browsers = " Pages of another origin need: crossguard serve --cors-origins ORIGIN." * (request.method == "OPTIONS")
    # Without the path, which may hold anything.
    told = f"No endpoint has this path and takes {request.method}.{browsers} For scoring: POST /v1/score. All: /docs."
    response = await error_response(_family(request.url.path), kind(told), Call(request, service))
    response.headers.update(error.headers or {})
    return response


def _family(path: str) -> Family:
    """Returns whose clients a path without an endpoint was meant for: those of the same version or path, else ours."""
    theirs = {endpoint.path: endpoint.family for endpoint in ENDPOINTS} | {"/v1alpha1/": perspective.FAMILY}
    return next((family for begin, family in theirs.items() if path.startswith(begin)), score.FAMILY)
