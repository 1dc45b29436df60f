"""Perspective's interface, through Google's client for Python and recorded requests of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest
from tests.support.server import RunningServer

from crossguard import registry
from crossguard.bundle import Bundle
from crossguard.labels import HATE
from crossguard.moderator import Moderator

SIX = ("TOXICITY", "SEVERE_TOXICITY", "INSULT", "THREAT", "PROFANITY", "IDENTITY_ATTACK")
TEXT = "Hello you. All people are awful!  My friends"


@pytest.fixture(scope="module")
def suggestions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suggestions") / "suggestions.jsonl"


@pytest.fixture(scope="module")
def perspective(attributed: Moderator, suggestions: Path) -> Iterator[RunningServer]:
    with RunningServer(attributed.bundle.folder, drain_s=0, suggestions=suggestions) as running:
        yield running


@pytest.fixture
def http(perspective: RunningServer) -> Iterator[httpx2.Client]:
    with perspective.client() as client:
        yield client


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


def ask(http: httpx2.Client, *attributes: str, text: str = TEXT, **body: Any) -> httpx2.Response:
    request = {"comment": {"text": text}, "requestedAttributes": {name: {} for name in attributes}, **body}
    return http.post("/v1alpha1/comments:analyze", json=request)


def values(answer: dict[str, Any]) -> dict[str, float]:
    return {name: scores["summaryScore"]["value"] for name, scores in answer["attributeScores"].items()}


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


def comment(text: str) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}


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


def test_paths_and_methods_that_do_not_exist_have_it_too(http: httpx2.Client) -> None:
    for answer in (
        http.get("/v1alpha1/comments:analyze"),
        http.post("/v1alpha1/comments:judge", json={}),
        http.get("/v1alpha1/"),
    ):
        assert answer.json()["error"]["code"] == answer.status_code
        assert answer.json()["error"]["status"] == "NOT_FOUND"


# What the clients write, key by key. Values are ours.
RECORDED: dict[str, dict[str, Any]] = {
    "Coral": {
        "comment": {"text": TEXT},
        "languages": ["en"],
        "doNotStore": True,
        "requestedAttributes": {"TOXICITY": {}},
        "clientToken": "comments.example.com",
    },
    "Coral, severe": {
        "comment": {"text": TEXT},
        "languages": ["en"],
        "doNotStore": False,
        "requestedAttributes": {"SEVERE_TOXICITY": {}},
        "context": {"entries": [{"text": "an earlier comment", "type": "PLAIN_TEXT"}]},
        "communityId": "community",
    },
    "Discourse": {
        "comment": {"text": TEXT},
        "doNotStore": True,
        "sessionId": "discourse-1",
        "requestedAttributes": {
            "TOXICITY": {"scoreType": "PROBABILITY"},
            "SEVERE_TOXICITY": {},
            "IDENTITY_ATTACK": None,
        },
    },
    "PHP, an empty array for an empty object": {
        "comment": {"text": TEXT, "type": None},
        "languages": None,
        "requestedAttributes": {"TOXICITY": [], "INSULT": {"scoreType": "PROBABILITY", "scoreThreshold": "0.0"}},
        "context": [],
        "clientToken": None,
        "sessionId": None,
    },
    "one language as a word": {"comment": {"text": TEXT}, "languages": "en", "requestedAttributes": {"THREAT": {}}},
    "names of the protocol": {"comment": {"text": TEXT}, "requested_attributes": {"PROFANITY": {"score_threshold": 0}}},
    "a version of Google's": {"comment": {"text": TEXT}, "requestedAttributes": {"TOXICITY@6": {}}},
    "a served version": {"comment": {"text": TEXT}, "requestedAttributes": {"TOXICITY@attributed-1.0.0": {}}},
    "with something unknown": {
        "comment": {"text": TEXT},
        "requestedAttributes": {"TOXICITY": {}, "SPAM": {}, "FLIRTATION": {}, "SEXUALLY_EXPLICIT": {}},
    },
}


@pytest.mark.parametrize("body", RECORDED.values(), ids=RECORDED)
def test_recorded_requests_get_usable_numbers(http: httpx2.Client, attributed: Moderator, body: dict[str, Any]) -> None:
    answer = http.post("/v1alpha1/comments:analyze?key=AIza&alt=json", json=body)
    assert answer.status_code == 200, answer.text
    found, offline = values(answer.json()), attributed.score(text=TEXT).scores
    assert found
    for name, value in found.items():
        label = name.partition("@")[0].lower()
        if label in offline:
            assert value == pytest.approx(offline[label], abs=1e-6)
    assert answer.headers["x-crossguard-model"] == "attributed-1.0.0"
    assert answer.headers["x-crossguard-policy"] == "default@7"


def test_what_a_model_lacks_is_said(http: httpx2.Client) -> None:
    answer = ask(http, "TOXICITY", "SPAM", "TOXICITY_EXPERIMENTAL", "LIKELY_TO_REJECT")
    body = answer.json()
    assert set(body["attributeScores"]) == {"TOXICITY", "TOXICITY_EXPERIMENTAL", "LIKELY_TO_REJECT"}
    assert body["crossguard"] == {
        "estimated": {"TOXICITY_EXPERIMENTAL": "TOXICITY", "LIKELY_TO_REJECT": "TOXICITY"},
        "omitted": ["SPAM"],
    }
    assert answer.headers["x-crossguard-estimated"] == "TOXICITY_EXPERIMENTAL=TOXICITY, LIKELY_TO_REJECT=TOXICITY"


def test_sexual_content_is_estimated_where_it_is_all_that_is_asked_for(http: httpx2.Client) -> None:
    answer = ask(http, "SEXUALLY_EXPLICIT")
    assert answer.status_code == 200
    assert values(answer.json())["SEXUALLY_EXPLICIT"] == values(ask(http, "PROFANITY").json())["PROFANITY"]
    assert answer.json()["crossguard"]["estimated"] == {"SEXUALLY_EXPLICIT": "PROFANITY"}


@pytest.mark.parametrize(("missing", "status", "found"), [("error", 400, set()), ("omit", 200, {"IDENTITY_ATTACK"})])
def test_the_operator_decides_what_becomes_of_it(
    tiny_bundle: Bundle, missing: str, status: int, found: set[str]
) -> None:
    with (
        RunningServer(tiny_bundle.folder, drain_s=0, perspective_missing=missing) as server,
        server.client() as client,
    ):
        answer = ask(client, "TOXICITY", "IDENTITY_ATTACK")
        assert answer.status_code == status
        assert set(answer.json().get("attributeScores", {})) == found
        assert ask(client, "TOXICITY").status_code == 400


def test_each_sentence_has_a_score_of_its_own(http: httpx2.Client, attributed: Moderator) -> None:
    answer = ask(http, "TOXICITY", "INSULT", spanAnnotations=True).json()
    spans = answer["attributeScores"]["INSULT"]["spanScores"]
    assert [TEXT[span["begin"] : span["end"]] for span in spans] == [
        "Hello you.",
        "All people are awful!",
        "My friends",
    ]
    for span in spans:
        alone = attributed.score(text=TEXT[span["begin"] : span["end"]]).scores["insult"]
        assert span["score"]["value"] == pytest.approx(alone, abs=1e-6)
    whole = attributed.score(text=TEXT).scores["insult"]
    assert answer["attributeScores"]["INSULT"]["summaryScore"]["value"] == pytest.approx(whole, abs=1e-6)
    many = ask(http, "TOXICITY", text="Hello you. " * 500, spanAnnotations=True).json()
    assert len(many["attributeScores"]["TOXICITY"]["spanScores"]) == 100
    assert many["attributeScores"]["TOXICITY"]["spanScores"][-1]["end"] == len("Hello you. " * 500) - 1


def test_suggestions_are_kept_where_a_file_is_named(google: Any, suggestions: Path) -> None:
    body = {
        "comment": {"text": "hello you"},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.9}}},
        "communityId": "c",
        "clientToken": "t",
        "languages": ["en"],
    }
    answer = google.comments().suggestscore(body=body).execute()
    assert answer == {"clientToken": "t", "requestedLanguages": ["en"]}
    record = json.loads(suggestions.read_text().splitlines()[-1])
    assert record | {"time": ""} == {
        "time": "",
        "caller": "anonymous",
        "text": "hello you",
        "attributes": {"TOXICITY": 0.9},
        "community_id": "c",
        "client_token": "t",
    }
    assert suggestions.stat().st_mode & 0o777 == 0o600
    with pytest.raises(HttpError, match="attributeScores"):
        google.comments().suggestscore(body={"comment": {"text": "hello"}}).execute()


def test_suggestions_are_dropped_where_none_is(client: httpx2.Client) -> None:
    body = {"comment": {"text": "hello"}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}
    answer = client.post("/v1alpha1/comments:suggestscore", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-crossguard-stored"] == "false"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--",
        b"--b\r\n\r\n--b--",
        b"--b\r\ncontent-type: application/http\r\n\r\nGET\r\n\r\n--b--",
        b"--b\r\n" + b"x" * 70_000 + b"\r\n\r\nPOST / HTTP/1.1\r\n\r\n--b--",
        b"--b" * 5000,
    ],
)
def test_broken_batches_are_refused(http: httpx2.Client, body: bytes) -> None:
    answer = http.post("/batch", content=body, headers={"content-type": "multipart/mixed; boundary=b"})
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["status"] in {"INVALID_ARGUMENT", "OUT_OF_RANGE"}


def test_a_batch_reaches_nothing_but_comments(http: httpx2.Client) -> None:
    targets = ("/batch", "/metrics", "/v1/admin/reload", "/v1/score", "http://a.example/v1alpha1/comments:analyse")
    parts = "".join(
        f"--b\r\ncontent-type: application/http\r\n\r\nPOST {target} HTTP/1.1\r\n\r\n{{}}\r\n" for target in targets
    )
    answer = http.post("/batch", content=parts + "--b--", headers={"content-type": "multipart/mixed; boundary=b"})
    assert answer.text.count("HTTP/1.1 404") == len(targets)


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningServer]:
    with RunningServer(registry.shipped()["compact"], drain_s=0, cors_origins="https://forum.example.com") as running:
        yield running


def test_the_model_in_the_box_has_all_six_attributes_of_its_own(shipped: RunningServer) -> None:
    with shipped.client() as client:
        rude = ask(client, *SIX, text="You are a stupid piece of shit, shut up!").json()
        kind = ask(client, *SIX, text="Thank you, that was a helpful answer.").json()
    assert "crossguard" not in rude
    assert set(values(rude)) == set(SIX)
    for name in ("TOXICITY", "INSULT", "PROFANITY"):
        assert values(rude)[name] > 0.5 > values(kind)[name], name


def test_a_page_of_an_allowed_origin_may_call_from_a_browser(shipped: RunningServer) -> None:
    asked = {"origin": "https://forum.example.com", "access-control-request-method": "POST"}
    with shipped.client() as client:
        preflight = client.options(
            "/v1alpha1/comments:analyze", headers={**asked, "access-control-request-headers": "content-type"}
        )
        answer = client.post("/v1alpha1/comments:analyze", json=comment("hello"), headers={"origin": asked["origin"]})
        refused = client.options("/v1alpha1/comments:analyze", headers={**asked, "origin": "https://evil.example"})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == asked["origin"]
    assert answer.headers["access-control-allow-origin"] == asked["origin"]
    assert "x-crossguard-model" in answer.headers["access-control-expose-headers"]
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers


def test_without_origins_no_page_may(http: httpx2.Client) -> None:
    answer = http.post(
        "/v1alpha1/comments:analyze", json=comment("hello"), headers={"origin": "https://forum.example.com"}
    )
    assert "access-control-allow-origin" not in answer.headers


GERMAN = "Heute war das Wetter wunderbar und wir sind lange spazieren gegangen"


@pytest.mark.parametrize(("text", "detected"), [("I think that you should have been there", ["en"]), ("Hello", None)])
def test_the_language_of_a_comment_is_said_where_it_can_be_told(
    http: httpx2.Client, text: str, detected: list[str] | None
) -> None:
    answer = ask(http, "TOXICITY", text=text).json()
    assert answer.get("detectedLanguages") == detected
    assert "crossguard" not in answer


@pytest.mark.parametrize("body", [{"text": GERMAN}, {"text": TEXT, "languages": ["ja"]}])
def test_other_languages_get_googles_error(http: httpx2.Client, body: dict[str, Any]) -> None:
    answer = ask(http, "TOXICITY", **body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["details"][0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    language = body.get("languages", ["de"])[0]
    assert error["message"].startswith(f"Attribute TOXICITY does not support request languages: {language}.")
    assert "--perspective-languages mark" in error["message"]


@pytest.mark.parametrize(
    ("languages", "unsupported"), [(["en"], "de"), (["en-GB", "de"], "de"), (["de"], "400"), ([], "400")]
)
def test_a_declared_language_is_believed_and_doubts_are_said(
    http: httpx2.Client, languages: list[str], unsupported: str
) -> None:
    answer = ask(http, "TOXICITY", text=GERMAN, languages=languages)
    if unsupported == "400":
        assert answer.status_code == 400
    else:
        assert answer.json()["crossguard"]["unsupported_language"] == unsupported
        assert answer.headers["x-crossguard-unsupported-language"] == unsupported


def test_a_setting_answers_other_languages_with_a_mark(attributed: Moderator) -> None:
    with (
        RunningServer(attributed.bundle.folder, drain_s=0, perspective_languages="mark") as server,
        server.client() as client,
    ):
        for language in ("ja", "fr", "pt"):
            answer = ask(client, "TOXICITY", languages=[language])
            assert answer.status_code == 200
            assert values(answer.json()) == values(ask(client, "TOXICITY").json())
            assert answer.json()["crossguard"]["unsupported_language"] == language
            assert answer.headers["x-crossguard-unsupported-language"] == language
        found = ask(client, "TOXICITY", text=GERMAN).json()
        assert (found["languages"], found["detectedLanguages"]) == (["de"], ["de"])
        assert found["crossguard"]["unsupported_language"] == "de"
        suggestion = {"comment": {"text": GERMAN}, "languages": ["de"]}
        suggestion["attributeScores"] = {"TOXICITY": {"summaryScore": {"value": 1}}}
        assert client.post("/v1alpha1/comments:suggestscore", json=suggestion).status_code == 200
    with (
        RunningServer(attributed.bundle.folder, drain_s=0, other_languages="skip") as server,
        server.client() as client,
    ):
        refused = ask(client, "TOXICITY", text=GERMAN, languages=["en"]).json()["error"]
        assert refused["message"].startswith("Attribute TOXICITY does not support request languages: de.")


def test_json_without_its_content_type_is_read_unless_a_page_sends_it(http: httpx2.Client) -> None:
    body = json.dumps(comment(TEXT))
    plain = {"content-type": "text/plain;charset=UTF-8"}  # what `fetch` of Node writes for a string
    answer = http.post("/v1alpha1/comments:analyze", content=body, headers=plain)
    assert values(answer.json()) == values(ask(http, "TOXICITY").json())
    page = http.post("/v1alpha1/comments:analyze", content=body, headers=plain | {"origin": "https://evil.example"})
    assert page.status_code == 415
    assert http.post("/v1/score", content=body, headers=plain).status_code == 415
