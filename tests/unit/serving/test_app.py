"""The application: paths that there are not, browsers of other origins, beginning and end, and around every request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from math import inf
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from tests.support.serving import client_of, service_of

from crossguard.bundle import Bundle
from crossguard.moderator import Moderator
from crossguard.serving import logs
from crossguard.serving.app import HEADERS, RequestEnvelope, create_app
from crossguard.serving.endpoints import CROWDED, DEADLINE, PROBES
from crossguard.serving.interfaces import ENDPOINTS
from crossguard.serving.service import Service

Events = list[tuple[str, int, dict[str, Any]]]


def test_an_unknown_path_names_the_known(client: TestClient) -> None:
    answer = client.get("/v2/score")
    assert answer.status_code == 404
    assert "/v1/score" in answer.json()["error"]["message"]
    assert "secret" not in client.get("/secret").text, "a path may hold anything, such as a key"


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v1/score", 405, "takes GET. For scoring: POST /v1/score."),
        ("OPTIONS", "/v1/score", 405, "crossguard serve --cors-origins"),
        ("POST", "/v1/score/", 404, "For scoring: POST /v1/score."),
    ],
)
def test_a_wrong_method_or_path_is_told_where_the_right_ones_are(
    client: TestClient, method: str, path: str, status: int, said: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert said in str(answer.json()["error"])


def test_the_body_of_a_wrong_request_is_read_so_that_the_answer_arrives(service: Service) -> None:
    """A client that says `connection: close`, as urllib does, would otherwise meet a broken connection."""
    chunks = [{"type": "http.request", "body": b"a" * 9000, "more_body": more} for more in (False, True, True)]
    sent: list[Any] = []

    async def receive() -> Any:
        return chunks.pop()

    async def send(message: Any) -> None:
        sent.append(message["status"] if "status" in message else len(chunks))

    scope = {"type": "http", "method": "POST", "path": "/v1/scores", "query_string": b"", "headers": []}
    asyncio.run(create_app(service)(scope, receive, send))
    assert sent == [404, 0]


def test_a_person_who_opens_the_address_of_the_service_meets_the_docs(client: TestClient) -> None:
    answer = client.get("/", headers={"accept": "text/html,*/*;q=0.8"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "docs")
    assert client.get("/").status_code == 404, "a program is told"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/models/a/b", "error.request_id"),
        ("/v1alpha1/comments:judge", "error.status"),
        ("/v1/moderations/x", "error.type"),
        ("/invocations/x", "message"),
    ],
)
def test_a_path_without_an_endpoint_is_answered_as_its_clients_expect(
    client: TestClient, path: str, error: str
) -> None:
    found = client.get(path).json()
    for name in error.split("."):
        found = found[name]
    assert found


def test_a_page_of_an_allowed_origin_may_call_from_a_browser(served_model: Moderator) -> None:
    client = client_of(service_of(served_model, cors_origins=("https://forum.example.com",)))
    asked = {"origin": "https://forum.example.com", "access-control-request-method": "POST"}
    path = "/v1alpha1/comments:analyze"
    sent = "authorization, content-type, x-stainless-lang"  # the last is one of those that OpenAI's client adds
    preflight = client.options(path, headers={**asked, "access-control-request-headers": sent})
    answer = client.post(path, json={}, headers={"origin": asked["origin"]})
    refused = client.options(path, headers={**asked, "origin": "https://evil.example"})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == asked["origin"]
    assert answer.headers["access-control-allow-origin"] == asked["origin"]
    assert "access-control-allow-credentials" not in answer.headers
    assert preflight.headers["access-control-allow-headers"] == sent
    assert answer.headers["access-control-expose-headers"] == "*"
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


def test_without_origins_no_page_may(client: TestClient) -> None:
    answer = client.post("/v1/score", json={"text": "hello"}, headers={"origin": "https://forum.example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_each_endpoint_is_served_under_its_path_and_method(service: Service) -> None:
    routes = {(route.path, *sorted(route.methods - {"HEAD"})) for route in create_app(service).routes}  # type: ignore[attr-defined]  # all are routes
    assert routes == {(endpoint.path, endpoint.method) for endpoint in ENDPOINTS}


def test_the_lifespan_starts_and_stops_the_service(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    service = service_of(Moderator.load(tiny_bundle.folder))
    done: list[str] = []

    async def note(what: str) -> None:
        done.append(what)

    monkeypatch.setattr(service, "start", lambda: note("start"))
    monkeypatch.setattr(service, "stop", lambda: note("stop"))
    with TestClient(create_app(service)) as client:
        assert done == ["start"]
        assert client.get("/healthz").status_code == 200
    assert done == ["start", "stop"]
    asyncio.run(Service.stop(service))


def test_the_description_is_encoded_once(service: Service) -> None:
    app = create_app(service)
    assert json.loads(app.state.openapi)["openapi"] == "3.1.0"
    assert TestClient(app).get("/openapi.json").content == app.state.openapi


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


def test_probes_are_no_traffic(service: Service) -> None:
    client = client_of(service)
    probes = ("/healthz", "/readyz", "/ping", "/metrics", "/v1/models")
    for path in probes:
        client.get(path)
    found = service.telemetry.registry.get_sample_value
    assert found("crossguard_request_seconds_count", {"interface": "operations"}) == len(probes)
    assert found("crossguard_request_seconds_count", {"interface": "crossguard"}) is None
    assert found("crossguard_request_seconds_count", {"interface": "sagemaker"}) is None


def test_without_a_connection_to_spare_only_probes_are_answered(service: Service) -> None:
    app = create_app(service)

    async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, CROWDED: True}, receive, send)

    client = TestClient(crowded)
    for path in PROBES:
        assert client.get(path).status_code == 200
    answer = client.post("/v1/score", json={"text": "hello"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    error = answer.json()["error"]
    assert (error["code"], error["request_id"]) == ("too_many_connections", answer.headers["x-request-id"])
    theirs = client.post("/v1alpha1/comments:analyze", json={}).json()["error"]
    assert (theirs["code"], theirs["status"]) == (503, "UNAVAILABLE")
    found = service.telemetry.registry.get_sample_value
    assert found("crossguard_rejected_requests_total", {"code": "too_many_connections"}) == 2


NO_MORE: Mapping[str, float] = {}


def run(app: Any, service: Service, kind: str = "http", more: Mapping[str, float] = NO_MORE) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope = {"type": kind, "method": "GET", "path": "/", "headers": [], **more}
    asyncio.run(RequestEnvelope(app, service)(scope, receive, send))
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


@pytest.mark.parametrize(("batch", "status"), [({}, 500), ({DEADLINE: 0.0}, 504), ({DEADLINE: inf}, 499)])
def test_one_that_is_cancelled_is_noted_with_who_ended_it(
    batch: dict[str, float], status: int, service: Service, events: Events
) -> None:
    """The service itself, the time of its batch, or the client of that."""

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(cancelled, service, more=batch)
    assert events[-1][2]["status"] == status


def test_what_is_no_request_is_passed_on_as_it_is(service: Service) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "crossguard" not in scope
        await send({"type": "lifespan.startup.complete"})

    assert run(app, service, "lifespan") == [{"type": "lifespan.startup.complete"}]
