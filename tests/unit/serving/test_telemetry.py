"""What Prometheus scrapes."""

from __future__ import annotations

import socket
import struct
import threading
import urllib.request
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.support.decisions import decision, failed
from tests.support.serving import client_of

from crossguard.errors import ConfigError
from crossguard.serving import logs
from crossguard.serving.service import Service
from crossguard.serving.telemetry import Telemetry, _scrape_failed, serve_metrics


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_decisions_are_counted_by_action_label_and_error() -> None:
    telemetry = Telemetry()
    telemetry.decided([decision("1", 0.75), decision("2", 0.25), decision("3", 0.25), failed("4")])
    assert sample(telemetry, "crossguard_posts_total", policy="default", action="review") == 1
    assert sample(telemetry, "crossguard_posts_total", policy="default", action="allow") == 2
    assert sample(telemetry, "crossguard_failed_posts_total", code="post_empty") == 1
    assert sample(telemetry, "crossguard_flagged_posts_total", policy="default", label="racist") == 1
    assert sample(telemetry, "crossguard_score_count", policy="default", label="racist") == 3
    assert sample(telemetry, "crossguard_score_sum", policy="default", label="racist") == 1.25


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("crossguard_review_lost_posts_total", "reason", ["full", "refused", "slow", "failed"]),
        ("crossguard_reloads_total", "outcome", ["done", "failed"]),
        (
            "crossguard_rejected_requests_total",
            "code",
            ["overloaded", "rate_limit_exceeded", "internal_error", "too_many_connections", "deadline_exceeded"],
        ),
    ],
)
def test_losses_are_counted_from_zero(name: str, label: str, values: list[str]) -> None:
    """`increase()` of Prometheus misses the first one of a counter that is not there before."""
    telemetry = Telemetry()
    assert [sample(telemetry, name, **{label: value}) for value in values] == [0.0] * len(values)


def test_policies_are_told_apart() -> None:
    telemetry = Telemetry()
    telemetry.decided([decision("1"), replace(decision("2"), policy="feed:kids")])
    assert sample(telemetry, "crossguard_posts_total", policy="feed:kids", action="allow") == 1


def test_only_what_is_served_now_is_told() -> None:
    telemetry = Telemetry()
    telemetry.serving("tiny", "1", "default", "onnx")
    telemetry.serving("tiny", "2", "default", "onnx")
    known = {"model": "tiny", "policy": "default", "runtime": "onnx"}
    assert sample(telemetry, "crossguard_model", version="1", **known) is None
    assert sample(telemetry, "crossguard_model", version="2", **known) == 1


def test_what_the_engine_does_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry()
    telemetry.stage("prepare", 0.2)
    telemetry.inferred(12, 0.5)
    telemetry.abandoned(7)
    telemetry.lost_for_review("slow", 2)
    assert sample(telemetry, "crossguard_stage_seconds_sum", stage="prepare") == 0.2
    assert sample(telemetry, "crossguard_stage_seconds_sum", stage="infer") == 0.5
    assert sample(telemetry, "crossguard_batch_posts_sum") == 12
    assert sample(telemetry, "crossguard_abandoned_posts_total") == 7
    assert sample(telemetry, "crossguard_review_lost_posts_total", reason="slow") == 2
    told: list[str] = []
    monkeypatch.setattr(logs, "failure", lambda name, error: told.append(f"{name} {error!r}"))
    telemetry.fault(ValueError("x"))
    assert told == ["post_failed ValueError('x')"]


def test_metrics_tell_traffic_batches_and_scores(service: Service) -> None:
    client: TestClient = client_of(service)
    client.post("/v1/score/batch", json={"posts": [{"text": "hello you"}, {"text": ""}]})
    text = client.get("/metrics").text
    for name in (
        'crossguard_requests_total{interface="crossguard",status="200"}',
        "crossguard_request_seconds_bucket",
        "crossguard_batch_posts_count",
        "crossguard_queue_posts 0.0",
        "crossguard_buffered_bytes 0.0",
        'crossguard_flagged_posts_total{label="racist",policy="default"}',
        'crossguard_score_bucket{label="racist"',
        'crossguard_failed_posts_total{code="post_empty"} 1.0',
        'crossguard_model{model="tiny"',
        "process_resident_memory_bytes",
    ):
        assert name in text


def test_a_scraper_gets_them_on_a_port_of_their_own() -> None:
    telemetry = Telemetry()
    telemetry.abandoned(3)
    port = serve_metrics(telemetry.registry, "127.0.0.1", 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert b"crossguard_abandoned_posts_total 3.0" in answer.read()


def test_a_taken_port_is_said() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigError, match="Try another --metrics-port"),
    ):
        serve_metrics(Telemetry().registry, "127.0.0.1", taken.getsockname()[1])


def test_a_scraper_that_goes_away_is_no_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()

    def note(*asked: object) -> None:
        _scrape_failed(*asked)
        ended.set()

    monkeypatch.setattr("crossguard.serving.telemetry._scrape_failed", note)
    port = serve_metrics(Telemetry().registry, "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
    assert ended.wait(20)
    assert capsys.readouterr().err == ""


def test_another_failure_of_a_scrape_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(logs, "failure", lambda name, error: told.append(f"{name} {error!r}"))
    try:
        int("x")
    except ValueError:
        _scrape_failed()
    (failure,) = told
    assert failure.startswith("scrape_failed ValueError(")
