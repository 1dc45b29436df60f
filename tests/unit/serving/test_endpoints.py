"""What becomes of a handler's errors, of its deadline, and of a body that nobody read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from tests.support.serving import service_of

from crossguard.moderator import Moderator
from crossguard.serving import logs
from crossguard.serving.app import RequestEnvelope
from crossguard.serving.call import Access, Call
from crossguard.serving.endpoints import Family, Handler, HttpEndpoint
from crossguard.serving.errors import ApiError, BadRequest, BodyTimeout, ClientDisconnected, Overloaded
from crossguard.serving.service import Service


def error_body(error: ApiError, request_id: str) -> dict[str, Any]:
    return {"oops": error.code, "said": error.message, "id": request_id}


FAMILY = Family("ours", error_body, BaseModel)
Ask = Callable[..., Any]


def client_of(service: Service, handle: Handler, access: Access = Access.KEY) -> TestClient:
    endpoint = HttpEndpoint("POST", "/try/{name}", FAMILY, "", handle, requests={"a/b": None}, access=access)
    app = Starlette(routes=[endpoint.route(service)], middleware=[Middleware(RequestEnvelope, service=service)])
    return TestClient(app, raise_server_exceptions=False)


def failing(error: Exception) -> Handler:
    async def handle(_: Call) -> Response:
        raise error

    return handle


def rejected(service: Service, code: str) -> float:
    return service.telemetry.registry.get_sample_value("crossguard_rejected_requests_total", {"code": code}) or 0


def test_an_answer_is_passed_on_and_its_route_is_noted(service: Service) -> None:
    seen: list[Call] = []

    async def handle(call: Call) -> Response:
        seen.append(call)
        await call.body.read()
        assert service.budget.held == 3
        return PlainTextResponse("fine")

    answer = client_of(service, handle).post("/try/this", content=b"abc")
    assert (answer.status_code, answer.text) == (200, "fine")
    assert (seen[0].exchange.interface, seen[0].exchange.route) == ("ours", "/try/{name}")
    assert service.budget.held == 0


def test_errors_have_the_shape_of_the_family(service: Service) -> None:
    answer = client_of(service, failing(BadRequest("So it is.", code="odd"))).post("/try/this")
    assert answer.status_code == 400
    assert answer.json() == {"oops": "odd", "said": "So it is.", "id": answer.headers["x-request-id"]}
    assert rejected(service, "odd") == 1


def test_when_to_come_back_is_a_header(service: Service) -> None:
    answer = client_of(service, failing(Overloaded("Full.", retry_after=7))).post("/try/this")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert "connection" not in answer.headers


def test_a_missing_key_is_asked_for(served_model: Moderator) -> None:
    service = service_of(served_model, {"known": {}})
    client = client_of(service, failing(AssertionError()))
    answer = client.post("/try/this")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("error", [BodyTimeout("Late."), ClientDisconnected("Gone.")])
def test_a_connection_whose_body_did_not_come_is_closed(service: Service, error: Exception) -> None:
    answer = client_of(service, failing(error)).post("/try/this", content=b"abc")
    assert answer.status_code in {408, 499}
    assert answer.headers["connection"] == "close"


def test_a_client_that_waits_to_be_asked_for_its_body_is_answered_instead(service: Service) -> None:
    """Reading would ask for it; without it the connection cannot go on."""
    client = client_of(service, failing(BadRequest("No.")))
    answer = client.post("/try/this", content=b"abc", headers={"expect": "100-continue"})
    assert (answer.status_code, answer.headers["connection"]) == (400, "close")


def test_a_deadline_ends_a_handler(served_model: Moderator) -> None:
    service = service_of(served_model, request_timeout_s=0.05)

    async def handle(_: Call) -> Response:
        await asyncio.sleep(3600)
        raise AssertionError

    answer = client_of(service, handle).post("/try/this")
    assert (answer.status_code, answer.json()["oops"]) == (504, "deadline_exceeded")
    assert "0.05 s" in answer.json()["said"]


def test_our_own_mistake_is_told_without_its_message(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, str]] = []
    monkeypatch.setattr(logs, "failure", lambda name, _, **fields: logged.append((name, fields["request_id"])))
    answer = client_of(service, failing(ZeroDivisionError("qzxv"))).post("/try/this", headers={"x-request-id": "r-1"})
    assert (answer.status_code, answer.json()["oops"]) == (500, "internal_error")
    assert "qzxv" not in answer.text
    assert logged == [("request_failed", "r-1")]
