"""SageMaker's requests, in each of their forms."""

from __future__ import annotations

import base64
import json

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving.service import Service

LINES = {"content-type": "application/jsonlines"}


def test_a_container_answers_its_ping_while_it_stops_too(service: Service) -> None:
    client = client_of(service)
    assert client.get("/ping").json() == {"status": "ok"}
    service.draining = True
    answer = client.get("/ping")
    assert (answer.status_code, answer.json()) == (200, {"status": "stopping"})


def test_a_single_post_gets_the_references_shape(client: TestClient, tiny: Moderator, red: bytes) -> None:
    body = {"text": "hello you", "image_base64": base64.b64encode(red).decode()}
    answer = client.post("/invocations", json=body).json()
    offline = tiny.score(text="hello you", image=red)
    assert answer["class_predictions"] == {name: label.flagged for name, label in offline.labels.items()}
    assert answer["probabilities"] == pytest.approx(offline.scores, abs=1e-6)
    assert answer["any_harmful"] is True


def test_instances_fail_alone(client: TestClient) -> None:
    body = {"instances": [{"text": "hello"}, {"text": 3}, "text", {"image_base64": "AAAA"}, {"text": "you"}]}
    predictions = client.post("/invocations", json=body).json()["predictions"]
    assert ["error" in entry for entry in predictions] == [False, True, True, True, False]
    assert predictions[3]["error"] == "image_not_an_image"


def test_half_a_character_in_an_image_is_the_callers_mistake(client: TestClient) -> None:
    body = b'{"image_base64": "\\ud83d"}'
    answer = client.post("/invocations", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (422, "image_bad_data_url")


def test_posts_that_the_format_refuses_are_counted_as_failed(service: Service) -> None:
    client_of(service).post("/invocations", json={"instances": [{"text": 3}, {"text": "hello"}, "text"]})
    failed = [metric for metric in service.telemetry.registry.collect() if metric.name == "crossguard_failed_posts"]
    assert sum(sample.value for sample in failed[0].samples if sample.name.endswith("_total")) == 2


def test_a_request_of_refused_posts_only_counts_as_one(served_model: Moderator) -> None:
    client = client_of(service_of(served_model, posts_per_minute=2))
    body = {"instances": [{"text": 3}, "text"]}
    assert [client.post("/invocations", json=body).status_code for _ in range(3)] == [422, 422, 429]


def test_json_lines_as_batch_transform_sends_them(client: TestClient) -> None:
    body = b'{"text": "hello"}\n{broken\n{"text": "you"}\n'
    answer = client.post("/invocations", content=body, headers=LINES)
    assert answer.headers["content-type"].startswith("application/jsonlines")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert ["error" in entry for entry in lines] == [False, True, False]
    assert lines[1]["error"] == "line_malformed"


def test_a_bare_picture(client: TestClient, tiny: Moderator, red: bytes) -> None:
    answer = client.post("/invocations", content=red, headers={"content-type": "image/png"})
    assert answer.json()["probabilities"] == pytest.approx(tiny.score(image=red).scores, abs=1e-6)


def test_a_caller_who_takes_no_json_is_refused_before_anything_is_scored(service: Service) -> None:
    answer = client_of(service).post("/invocations", json={"text": "hello"}, headers={"accept": "text/csv"})
    assert (answer.status_code, answer.json()["error"]) == (406, "not_acceptable")
    actions = [metric for metric in service.telemetry.registry.collect() if metric.name == "crossguard_posts"]
    assert actions[0].samples == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"instances": []}', "application/json", 400),
        (b'{"instances": 3}', "application/json", 400),
        (b'{"text": ""}', "application/json", 422),
        (b"text\nhello", "text/csv", 415),
        (b"", "application/jsonlines", 400),
    ],
)
def test_wrong_requests(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/invocations", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["message"]
