"""The ASGI application: the endpoints of all interfaces, and what is around every request.

That is an id, safe headers, one line of log, metrics, and an answer even to our own mistakes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossguard.serving import logs
from crossguard.serving.call import Call, Exchange
from crossguard.serving.docs_page import docs_page
from crossguard.serving.endpoints import DEADLINE, PROBES, Family, HttpEndpoint, error_response
from crossguard.serving.errors import (
    ClientDisconnected,
    DeadlineExceeded,
    InternalError,
    MethodNotAllowed,
    NotFound,
)
from crossguard.serving.interfaces import ENDPOINTS, perspective, score
from crossguard.serving.json_bodies import as_json
from crossguard.serving.openapi import openapi_document
from crossguard.serving.service import Service

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
RAW_HEADERS: Final = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())


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


class RequestEnvelope:
    """ASGI middleware; the outermost."""

    def __init__(self, app: ASGIApp, service: Service, endpoints: Sequence[HttpEndpoint] = ()) -> None:
        self._app = app
        self._service = service
        # These are found at once, past the layers of Starlette, which cost a tenth of a request; those whose path
        # holds a name, and whatever matches none, it finds.
        self._endpoints = {(one.method, one.path): one for one in endpoints if "{" not in one.path}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope["crossguard"] = Exchange(_request_id(scope))
        begun, status = time.perf_counter(), 0

        async def send_wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(message, exchange)
            await send(message)

        try:
            endpoint = self._endpoints.get((scope["method"], scope["path"]))
            if endpoint is None:
                await self._app(scope, receive, send_wrapped)
            else:
                response = await endpoint.answer(self._service, Request(scope, receive, send_wrapped))
                await response(scope, receive, send_wrapped)
        except Exception as error:  # noqa: BLE001 - what escapes here would be a bare 500 without our headers
            logs.failure("request_failed", error, request_id=exchange.request_id)
            if not status:
                body = score.error_body(InternalError("The service failed."), exchange.request_id)
                await as_json(body, InternalError.status)(scope, receive, send_wrapped)
        finally:
            self._note(scope, exchange, status or _cancelled(scope), time.perf_counter() - begun)

    def _add_headers(self, message: Message, exchange: Exchange) -> None:
        headers = message["headers"]
        present = {name for name, _ in headers}
        headers.append((b"x-request-id", exchange.request_id.encode()))
        headers.extend(pair for pair in RAW_HEADERS if pair[0] not in present)
        if self._service.draining:
            # The caller opens its next connection elsewhere, so that stopping cuts no request in half.
            MutableHeaders(scope=message)["connection"] = "close"

    def _note(self, scope: Scope, exchange: Exchange, status: int, seconds: float) -> None:
        self._service.telemetry.answered(exchange.interface, status, seconds)
        logs.event(
            "request",
            logging.DEBUG if exchange.route in PROBES else logging.INFO,
            request_id=exchange.request_id,
            method=scope["method"],
            route=exchange.route,
            status=status,
            ms=round(seconds * 1000, 2),
            posts=exchange.posts,
            **{name: value for name in ("caller", "code") if (value := getattr(exchange, name))},
        )


def _cancelled(scope: Scope) -> int:
    """Returns the status of a request without an answer: a part of a batch ends with it, any other with the service."""
    if DEADLINE not in scope:
        return InternalError.status
    late = asyncio.get_running_loop().time() >= scope[DEADLINE]
    return DeadlineExceeded.status if late else ClientDisconnected.status


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    # No secret. Asking the system for randomness would hand the interpreter to another thread.
    return given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
