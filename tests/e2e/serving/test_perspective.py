"""Google's own client library builds itself from the server's discovery document, as Perspective's samples do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from tests.support.server import RunningServer

from crossguard.moderator import Moderator


@pytest.fixture
def service(server: RunningServer) -> Iterator[Any]:
    with discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="any",
        discoveryServiceUrl=f"{server.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
    ) as built:
        yield built


def analyze(service: Any, text: str = "hello you", **body: Any) -> dict[str, Any]:
    request = {"comment": {"text": text}, "requestedAttributes": {"IDENTITY_ATTACK": {}}, **body}
    answer: dict[str, Any] = service.comments().analyze(body=request).execute()
    return answer


def test_the_union_of_labels_is_an_identity_attack(service: Any, tiny: Moderator) -> None:
    answer = analyze(service, clientToken="t-1", doNotStore=True, languages=["en"])
    score = answer["attributeScores"]["IDENTITY_ATTACK"]
    offline = max(tiny.score(text="hello you").scores.values())
    assert score["summaryScore"]["type"] == "PROBABILITY"
    assert score["summaryScore"]["value"] == pytest.approx(offline, abs=1e-6)
    assert (score["spanScores"][0]["begin"], score["spanScores"][0]["end"]) == (0, len("hello you"))
    assert answer["languages"] == ["en"]
    assert answer["clientToken"] == "t-1"


def test_labels_of_the_bundle_are_attributes(service: Any, tiny: Moderator) -> None:
    answer = analyze(service, requestedAttributes={"RACIST": {}, "SEXIST": {"scoreThreshold": 0.99}})
    assert set(answer["attributeScores"]) == {"RACIST"}
    expected = tiny.score(text="hello you").scores["racist"]
    assert answer["attributeScores"]["RACIST"]["summaryScore"]["value"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"requestedAttributes": {"TOXICITY": {}}}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES"),
        ({"languages": ["de"]}, "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
        ({"text": ""}, "COMMENT_EMPTY"),
    ],
)
def test_errors_have_googles_shape(service: Any, change: dict[str, Any], kind: str) -> None:
    with pytest.raises(HttpError) as failed:
        analyze(service, **change)
    assert failed.value.status_code == 400
    detail: Any = failed.value.error_details
    assert detail[0]["errorType"] == kind
