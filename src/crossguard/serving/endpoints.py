"""An endpoint: from one record come its route, its line in the OpenAPI file, and its part of the docs page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crossguard.serving import logs
from crossguard.serving.call import Access, Call
from crossguard.serving.errors import (
    ApiError,
    BodyTimeout,
    ClientDisconnected,
    DeadlineExceeded,
    InternalError,
    TooManyConnections,
    Unauthorized,
)
from crossguard.serving.json_bodies import as_json
from crossguard.serving.service import Service

DEADLINE: Final = "crossguard.deadline"
"""Where the scope of a request that is part of another one says by when it must be answered."""

CROWDED: Final = "crossguard.crowded"
"""What is true in the scope of a request for which the service has no connection."""

PROBES: Final = frozenset({"/healthz", "/readyz", "/ping", "/metrics"})
"""Paths that machines ask for every few seconds: always answered, and logged only when somebody debugs."""

OPERATIONS: Final = "operations"
"""The interface of what machines and operators ask, such as probes: counted apart from what is scored."""


@dataclass(frozen=True, slots=True)
class Family:
    """Endpoints that share their callers, and so the shape of their errors."""

    name: str  # used in metrics, logs and the OpenAPI file
    error_body: Callable[[ApiError, str], dict[str, Any]]  # renders an error, given the request id
    error_model: type[BaseModel]  # what it renders, for the OpenAPI file


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """A path of an interface: the router, the OpenAPI file and the docs page are made from it."""

    method: str  # HTTP method
    path: str  # as Starlette writes it
    family: Family  # whose error shape it has
    summary: str  # one line for the docs
    handle: Handler  # answers a call
    # Bodies that it takes by media type, as models; None for a body without a schema
    requests: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)
    responses: Mapping[str, type[BaseModel] | None] = field(default_factory=dict)  # bodies that it gives by media type
    access: Access = Access.KEY  # who may use it
    example: Any = None  # a request body for the docs
    query: Mapping[str, str] = field(default_factory=dict)  # query parameters by name, each with one line for the docs
    errors: Mapping[str, str] = field(default_factory=dict)  # further errors by status, each with one line for the docs

    def route(self, service: Service) -> Route:
        """Returns the route of this endpoint in a service."""
        return Route(self.path, partial(self.answer, service), methods=[self.method])

    async def answer(self, service: Service, request: Request) -> Response:
        """Returns the answer to a request, whatever happens."""
        call = Call(request, service, self.example)
        call.exchange.interface, call.exchange.route = self.family.name, self.path
        try:
            call.deadline = _deadline(call)
            async with asyncio.timeout_at(call.deadline):
                self._check_room(request)
                call.admit(self.access, scores=bool(self.requests))
                return await self.handle(call)
        except Exception as error:  # noqa: BLE001 - the last line of defence; the caller gets our error shape
            return await error_response(self.family, _told(error, call), call)
        finally:
            call.body.release()

    def _check_room(self, request: Request) -> None:
        if CROWDED in request.scope and self.path not in PROBES:
            raise TooManyConnections("All connections of the service are in use. Try again in 1 s.", retry_after=1)


def _deadline(call: Call) -> float:
    """Returns by when a request must be answered, by the clock of the event loop.

    Raises:
        TimeoutError: This has passed, so nothing of it must be counted or computed.
    """
    now = asyncio.get_running_loop().time()
    deadline: float = min(now + call.settings.request_timeout_s, call.request.scope.get(DEADLINE, inf))
    if deadline <= now:
        raise TimeoutError
    return deadline


def _told(error: Exception, call: Call) -> ApiError:
    """Returns what a caller is told of an error."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"Not answered within {call.settings.request_timeout_s:g} s.")
    logs.failure("request_failed", error, request_id=call.exchange.request_id)
    return InternalError(f"The service failed; the log has the reason under request {call.exchange.request_id}.")


async def error_response(family: Family, error: ApiError, call: Call) -> Response:
    """Returns the answer to a request that failed, once what is left of its body has been read."""
    call.exchange.code = error.code
    call.service.telemetry.rejected.labels(error.code).inc()
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, ClientDisconnected | BodyTimeout) or not await call.body.discard():
        headers["connection"] = "close"
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    return as_json(family.error_body(error, call.exchange.request_id), error.status, headers)
