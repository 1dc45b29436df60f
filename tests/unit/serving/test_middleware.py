"""Around every request: its id, safe headers, its line in the log and its place in the metrics."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving import logs
from crossguard.serving.middleware import HEADERS, RequestEnvelope
from crossguard.serving.service import Service

Events = list[tuple[str, int, dict[str, Any]]]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    found: Events = []
    monkeypatch.setattr(logs, "event", lambda name, level=logging.INFO, **fields: found.append((name, level, fields)))
    return found


@pytest.mark.parametrize("given", ["trace-1", "A.b_c-9", "x" * 64])
def test_an_id_that_a_caller_brings_is_kept(client: TestClient, given: str) -> None:
    assert client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a/b", "a=b"])
def test_any_other_gets_one_of_ours(client: TestClient, given: str) -> None:
    first, second = (client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"] for _ in range(2))
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert first != second


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/v1/models", "/v1/score"])
def test_answers_have_safe_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS


def test_a_page_keeps_its_own_policy(client: TestClient) -> None:
    assert "script-src" in client.get("/docs").headers["content-security-policy"]


def test_a_service_that_stops_closes_connections(service: Service) -> None:
    client = client_of(service)
    assert "connection" not in client.get("/healthz").headers
    service.draining = True
    assert client.get("/healthz").headers["connection"] == "close"


def test_a_request_is_one_line_and_machines_are_quiet(served_model: Moderator, events: Events) -> None:
    service = service_of(served_model, {"forum": {}})
    client = client_of(service)
    events.clear()
    client.post("/v1/score", json={"text": "qzxv"}, headers={"x-api-key": "forum", "x-request-id": "r-1"})
    client.post("/v1/score", json={"text": "qzxv"})
    client.get("/healthz")
    client.get("/qzxv")
    fields = [entry[2] for entry in events]
    assert [entry["route"] for entry in fields] == ["/v1/score", "/v1/score", "/healthz", "unmatched"]
    assert [entry["status"] for entry in fields] == [200, 401, 200, 404]
    assert [level for _, level, _ in events] == [logging.INFO, logging.INFO, logging.DEBUG, logging.INFO]
    assert (fields[0]["request_id"], fields[0]["caller"], fields[0]["posts"]) == ("r-1", "forum", 1)
    assert fields[1]["code"] == "invalid_api_key"
    assert "caller" not in fields[1]
    assert "qzxv" not in str(events)


def test_requests_are_counted_by_interface_and_status(service: Service) -> None:
    client_of(service).post("/v1/score", json={})
    found = service.telemetry.registry.get_sample_value
    assert found("crossguard_requests_total", {"interface": "crossguard", "status": "422"}) == 1
    assert found("crossguard_request_seconds_count", {"interface": "crossguard"}) == 1


def run(app: Any, service: Service, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    asyncio.run(
        RequestEnvelope(app, service)({"type": kind, "method": "GET", "path": "/", "headers": []}, receive, send)
    )
    return sent


def test_an_application_that_fails_is_answered_for(service: Service, events: Events) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("qzxv")

    start, body = run(fail, service)
    assert start["status"] == 500
    assert b'"internal_error"' in body["body"]
    assert b"qzxv" not in body["body"]
    assert (b"x-content-type-options", b"nosniff") in start["headers"]


def test_one_that_fails_after_it_began_to_answer_is_not_answered_twice(service: Service, events: Events) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    assert [message["type"] for message in run(fail, service)] == ["http.response.start"]
    assert events[-1][2]["status"] == 200


def test_what_is_no_request_is_passed_on_as_it_is(service: Service) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "crossguard" not in scope
        await send({"type": "lifespan.startup.complete"})

    assert run(app, service, "lifespan") == [{"type": "lifespan.startup.complete"}]
