"""Perspective's interface, through Google's client for Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest
from tests.support.perspective_requests import SIX, TEXT, ask, comment, values
from tests.support.server import RunningServer

from crossguard import registry
from crossguard.labels import HATE
from crossguard.moderator import Moderator


@pytest.fixture(scope="module")
def suggestions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suggestions") / "suggestions.jsonl"


@pytest.fixture(scope="module")
def perspective(attributed: Moderator, suggestions: Path) -> Iterator[RunningServer]:
    with RunningServer(attributed.bundle.folder, drain_s=0, suggestions=suggestions) as running:
        yield running


@pytest.fixture
def google(perspective: RunningServer) -> Iterator[Any]:
    with discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="any",
        discoveryServiceUrl=f"{perspective.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
    ) as built:
        yield built


def test_googles_client_gets_every_attribute(google: Any, attributed: Moderator) -> None:
    body = {
        "comment": {"text": TEXT},
        "requestedAttributes": {name: {} for name in SIX},
        "languages": ["en"],
        "clientToken": "t-1",
        "doNotStore": True,
    }
    answer = google.comments().analyze(body=body).execute()
    offline = attributed.score(text=TEXT)
    expected = {name: offline.scores[name.lower()] for name in SIX[:-1]}
    expected["IDENTITY_ATTACK"] = max(offline.scores[name] for name in HATE.names)
    assert values(answer) == pytest.approx(expected, abs=1e-6)
    assert answer["attributeScores"]["INSULT"]["summaryScore"]["type"] == "PROBABILITY"
    assert answer["attributeScores"]["INSULT"]["spanScores"][0] | {"score": 0} == {
        "begin": 0,
        "end": len(TEXT),
        "score": 0,
    }
    assert (answer["languages"], answer["clientToken"]) == (["en"], "t-1")
    assert "crossguard" not in answer


def test_googles_client_packs_batches(google: Any, perspective: RunningServer) -> None:
    answers: dict[str, Any] = {}

    def keep(name: str, answer: Any, error: Any) -> None:
        answers[name] = answer or error

    batch = BatchHttpRequest(callback=keep, batch_uri=f"{perspective.url}/batch")
    texts = {"one": "hello", "two": "good morning", "three": "all people", "empty": ""}
    for name, text in texts.items():
        batch.add(google.comments().analyze(body=comment(text)), request_id=name)
    batch.execute()
    for name in ("one", "two", "three"):
        alone = google.comments().analyze(body=comment(texts[name])).execute()
        assert values(answers[name]) == pytest.approx(values(alone), abs=1e-6)
    assert isinstance(answers["empty"], HttpError)
    assert answers["empty"].status_code == 400


def test_the_address_of_batches_is_in_the_discovery_document(google: Any) -> None:
    seen: list[Any] = []
    batch = google.new_batch_http_request(callback=lambda *result: seen.append(result))
    batch.add(google.comments().analyze(body=comment("hello")))
    batch.execute()
    assert seen[0][2] is None


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"requestedAttributes": {"SPAM": {}}}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"requestedAttributes": {"TOXICITY@other-9.9": {}}}, "ATTRIBUTE_VERSION_NOT_SUPPORTED"),
        ({"requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES"),
        ({"languages": ["de", "fr-CA"]}, "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
        ({"comment": {"text": ""}}, "COMMENT_EMPTY"),
        ({"comment": {"text": 5}}, "INVALID_REQUEST"),
    ],
)
def test_errors_have_googles_shape(google: Any, change: dict[str, Any], kind: str) -> None:
    body = {"comment": {"text": "hello you"}, "requestedAttributes": {"TOXICITY": {}}, **change}
    with pytest.raises(HttpError) as failed:
        google.comments().analyze(body=body).execute()
    assert failed.value.status_code == 400
    detail: Any = failed.value.error_details
    assert detail[0]["errorType"] == kind


def test_suggestions_are_kept_where_a_file_is_named(google: Any, suggestions: Path) -> None:
    body = {"comment": {"text": "hello you"}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.9}}}}
    assert google.comments().suggestscore(body=body | {"clientToken": "t"}).execute() == {"clientToken": "t"}
    assert json.loads(suggestions.read_text().splitlines()[-1])["attributes"] == {"TOXICITY": 0.9}
    with pytest.raises(HttpError, match="attributeScores"):
        google.comments().suggestscore(body={"comment": {"text": "hello"}}).execute()


def test_the_model_in_the_box_has_all_six_attributes_of_its_own() -> None:
    with RunningServer(registry.shipped()["compact"], drain_s=0) as shipped, shipped.client() as client:
        rude = ask(client, *SIX, text="You are a stupid piece of shit, shut up!").json()
        kind = ask(client, *SIX, text="Thank you, that was a helpful answer.").json()
    assert "crossguard" not in rude
    assert set(values(rude)) == set(SIX)
    for name in ("TOXICITY", "INSULT", "PROFANITY"):
        assert values(rude)[name] > 0.5 > values(kind)[name], name
