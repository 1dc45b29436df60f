"""For those who run the service."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.errors import BundleError
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.serving.interfaces.operations import STUCK_S, describe
from crossguard.serving.service import Service


def test_a_process_that_no_longer_infers_says_so(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(service)
    assert client.get("/healthz").json() == {"status": "ok"}
    monkeypatch.setattr(type(service.served.base), "stalled_s", lambda _: STUCK_S + 1)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stuck"})


def test_a_service_that_stops_is_not_ready_and_alive(service: Service) -> None:
    client = client_of(service)
    assert client.get("/readyz").json() == {"status": "ready"}
    service.draining = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
    assert client.get("/healthz").status_code == 200


def test_the_model_is_described_under_both_of_its_names(client: TestClient, served_model: Moderator) -> None:
    listed = client.get("/v1/models").json()
    assert listed == {"object": "list", "data": [describe(served_model)]}
    for name in ("tiny", "tiny-1.0.0"):
        assert client.get(f"/v1/models/{name}").json() == describe(served_model)
    missing = client.get("/v1/models/other")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert "Known: tiny." in missing.json()["error"]["message"]


def test_what_is_known_of_a_model(served_model: Moderator) -> None:
    known = describe(served_model.with_policy("benchmark"))
    assert (known["policy"], known["policies"]) == ("benchmark", ["default", "benchmark"])
    assert list(known["labels"]) == list(HATE.names)
    assert known["perspective_attributes"][0] == "IDENTITY_ATTACK"


def test_a_failed_reload_is_the_callers_to_know(served_model: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    service = service_of(served_model, {"boss": {"admin": True}})
    client = client_of(service)
    headers = {"x-api-key": "boss"}

    async def reload() -> BundleError | None:
        return problems.pop() if problems else None

    problems = [BundleError("text.onnx is broken.")]
    monkeypatch.setattr(service, "reload", reload)
    answer = client.post("/v1/admin/reload", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "reload_failed")
    assert "the old model serves on. text.onnx is broken." in answer.json()["error"]["message"]
    assert client.post("/v1/admin/reload", headers=headers).json() == {"status": "reloaded"}
    assert client.post("/v1/admin/reload").status_code == 401


def test_without_keys_nobody_is_an_admin(client: TestClient) -> None:
    assert client.post("/v1/admin/reload").status_code == 403


def test_metrics_are_text_for_prometheus(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("# HELP")
