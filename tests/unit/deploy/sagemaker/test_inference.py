"""The handler by itself: what its variables say, and which refusal the toolkit gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossguard.deploy.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn
from crossguard.errors import ConfigError
from crossguard.moderator import Moderator

toolkit = pytest.importorskip("sagemaker_inference.errors", reason="the toolkit of AWS's containers is not here")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CROSSGUARD_POLICY", "nowhere", "nowhere"),
        ("CROSSGUARD_THREADS", "0", "threads"),
        ("CROSSGUARD_THREADS", "many", "threads"),
        ("CROSSGUARD_RUNTIME", "abacus", "abacus"),
    ],
)
def test_a_wrong_variable_stops_the_container(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=told):
        model_fn(str(tiny_model))


def test_variables_of_others_are_passed_over(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", "/nowhere")
    monkeypatch.setenv("CROSSGUARD_THREADS", "1")
    with model_fn(str(tiny_model)) as moderator:
        assert moderator.policy.name


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [("{", "application/json", 400), ("hello", "text/html", 415), ("[]", "application/json", 400)],
)
def test_a_wrong_request_is_refused_with_its_status(body: str, content_type: str, status: int) -> None:
    with pytest.raises(toolkit.BaseInferenceToolkitError) as refused:
        input_fn(body, content_type)
    assert refused.value.status_code == status
    assert json.loads(refused.value.message)["error"]


def test_a_post_that_cannot_be_scored_is_refused_and_another_answered(tiny: Moderator) -> None:
    whole = predict_fn(input_fn('{"text": "hello"}', "application/json"), tiny)
    body, content_type = output_fn(whole, "application/json")
    assert content_type.startswith("application/json")
    assert json.loads(body)
    broken = predict_fn(input_fn('{"image": "bm8gaW1hZ2U="}', "application/json"), tiny)
    with pytest.raises(toolkit.BaseInferenceToolkitError) as refused:
        output_fn(broken, "application/json")
    assert refused.value.status_code == 422
