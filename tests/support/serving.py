"""A service in this process: the real application, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from crossguard.moderator import Moderator
from crossguard.serving.app import create_app
from crossguard.serving.call import Call, Exchange
from crossguard.serving.keys import KeyEntry, digest_of
from crossguard.serving.served import Served
from crossguard.serving.service import Service
from crossguard.serving.settings import ServeSettings


def service_of(moderator: Moderator, keys: Mapping[str, Mapping[str, Any]] | None = None, **settings: Any) -> Service:
    """Returns a service of a model; `keys` are entries by the name of a caller, whose key is that name."""
    entries = {name: KeyEntry(sha256=digest_of(name), **entry) for name, entry in (keys or {}).items()}
    return Service(ServeSettings(**settings), Served(moderator, {}, entries))


def client_of(service: Service) -> TestClient:
    """Returns a client of a service, which is neither started nor stopped: its model may be another test's too."""
    return TestClient(create_app(service), raise_server_exceptions=False, follow_redirects=False)


def call_of(service: Service, body: bytes | None = b"{}", **headers: str) -> Call:
    """Returns a call with a body; its client hangs up after it, and where the body is None at once."""
    messages: list[Message] = [] if body is None else [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.7", 40_000),
        "crossguard": Exchange("request-1"),
    }
    return Call(Request(scope, receive), service)
