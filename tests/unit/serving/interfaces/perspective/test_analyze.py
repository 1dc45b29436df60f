"""`comments:analyze`: the numbers, the marks and the errors that Perspective's clients get."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sentencex import get_sentence_boundaries
from starlette.testclient import TestClient
from tests.support.perspective_requests import GERMAN, TEXT, ask, comment, values
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving.interfaces.perspective.analyze import (
    MAX_SPANS,
    SPLIT_AT_ONCE,
    SPLIT_CHARACTERS,
    sentences,
)

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
def test_recorded_requests_get_usable_numbers(
    perspective: TestClient, attributed: Moderator, body: dict[str, Any]
) -> None:
    answer = perspective.post("/v1alpha1/comments:analyze?key=AIza&alt=json", json=body)
    assert answer.status_code == 200, answer.text
    found, offline = values(answer.json()), attributed.score(text=TEXT).scores
    assert found
    for name, value in found.items():
        label = name.partition("@")[0].lower()
        if label in offline:
            assert value == pytest.approx(offline[label], abs=1e-6)
    assert answer.headers["x-crossguard-model"] == "attributed-1.0.0"
    assert answer.headers["x-crossguard-policy"] == "default@7"


def test_what_a_model_lacks_is_said(perspective: TestClient) -> None:
    answer = ask(perspective, "TOXICITY", "SPAM", "TOXICITY_EXPERIMENTAL", "LIKELY_TO_REJECT")
    body = answer.json()
    assert set(body["attributeScores"]) == {"TOXICITY", "TOXICITY_EXPERIMENTAL", "LIKELY_TO_REJECT"}
    assert body["crossguard"] == {
        "estimated": {"TOXICITY_EXPERIMENTAL": "TOXICITY", "LIKELY_TO_REJECT": "TOXICITY"},
        "omitted": ["SPAM"],
    }
    assert answer.headers["x-crossguard-estimated"] == "TOXICITY_EXPERIMENTAL=TOXICITY, LIKELY_TO_REJECT=TOXICITY"


def test_sexual_content_is_estimated_where_it_is_all_that_is_asked_for(perspective: TestClient) -> None:
    answer = ask(perspective, "SEXUALLY_EXPLICIT")
    assert answer.status_code == 200
    assert values(answer.json())["SEXUALLY_EXPLICIT"] == values(ask(perspective, "PROFANITY").json())["PROFANITY"]
    assert answer.json()["crossguard"]["estimated"] == {"SEXUALLY_EXPLICIT": "PROFANITY"}


@pytest.mark.parametrize(("tenant", "written"), [("kids", "kids"), ("\u0434", "\\u0434"), ("a\nb: c", "a\\nb: c")])
def test_what_scored_is_told_whatever_the_names_of_a_policy_hold(
    attributed: Moderator, tenant: str, written: str
) -> None:
    policy = attributed.policy.model_copy(update={"name": f"feed:{tenant}", "version": "3"})
    answer = ask(client_of(service_of(attributed.with_policy(policy))), "TOXICITY")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-crossguard-policy"] == f"feed:{written}@3"


def test_sentences_are_no_posts_of_their_own_in_metrics(perspective: TestClient) -> None:
    """The part of the feed that is flagged is read from these."""

    def posts() -> float:
        lines = perspective.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("crossguard_posts_total{"))

    before = posts()
    assert len(ask(perspective, "INSULT", spanAnnotations=True).json()["attributeScores"]["INSULT"]["spanScores"]) > 1
    assert posts() == before + 1


def test_each_sentence_has_a_score_of_its_own(perspective: TestClient, attributed: Moderator) -> None:
    answer = ask(perspective, "TOXICITY", "INSULT", spanAnnotations=True).json()
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
    many = ask(perspective, "TOXICITY", text="Hello you. " * 500, spanAnnotations=True).json()
    assert len(many["attributeScores"]["TOXICITY"]["spanScores"]) == 100
    assert many["attributeScores"]["TOXICITY"]["spanScores"][-1]["end"] == len("Hello you. " * 500) - 1


@pytest.mark.parametrize(("text", "detected"), [("I think that you should have been there", ["en"]), ("Hello", None)])
def test_the_language_of_a_comment_is_said_where_it_can_be_told(
    perspective: TestClient, text: str, detected: list[str] | None
) -> None:
    answer = ask(perspective, "TOXICITY", text=text).json()
    assert answer.get("detectedLanguages") == detected
    assert "crossguard" not in answer


@pytest.mark.parametrize("body", [{"text": GERMAN}, {"text": TEXT, "languages": ["ja"]}])
def test_other_languages_get_googles_error(perspective: TestClient, body: dict[str, Any]) -> None:
    answer = ask(perspective, "TOXICITY", **body)
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
    perspective: TestClient, languages: list[str], unsupported: str
) -> None:
    answer = ask(perspective, "TOXICITY", text=GERMAN, languages=languages)
    if unsupported == "400":
        assert answer.status_code == 400
    else:
        assert answer.json()["crossguard"]["unsupported_language"] == unsupported
        assert answer.headers["x-crossguard-unsupported-language"] == unsupported


def test_json_without_its_content_type_is_read_unless_a_page_sends_it(perspective: TestClient) -> None:
    body = json.dumps(comment(TEXT))
    plain = {"content-type": "text/plain;charset=UTF-8"}  # what `fetch` of Node writes for a string
    answer = perspective.post("/v1alpha1/comments:analyze", content=body, headers=plain)
    assert values(answer.json()) == values(ask(perspective, "TOXICITY").json())
    page = perspective.post(
        "/v1alpha1/comments:analyze", content=body, headers=plain | {"origin": "https://evil.example"}
    )
    assert page.status_code == 415
    assert perspective.post("/v1/score", content=body, headers=plain).status_code == 415


@pytest.mark.parametrize(
    ("listed", "origin", "status"),
    [
        ("https://forum.example.com", "https://forum.example.com", 200),
        ("https://forum.example.com", "https://evil.example", 415),
        ("*", "https://any.example", 200),
    ],
)
def test_a_listed_page_need_not_say_that_it_sends_json(
    attributed: Moderator, listed: str, origin: str, status: int
) -> None:
    client = client_of(service_of(attributed, cors_origins=listed))
    headers = {"content-type": "text/plain;charset=UTF-8", "origin": origin}
    answer = client.post("/v1alpha1/comments:analyze", content=json.dumps(comment(TEXT)), headers=headers)
    assert answer.status_code == status


def test_scores_below_the_threshold_of_an_attribute_are_left_out(perspective: TestClient) -> None:
    whole = values(ask(perspective, "TOXICITY", "INSULT").json())
    wanted = {"TOXICITY": {"scoreThreshold": min(whole["TOXICITY"] + 1e-4, 1.0)}, "INSULT": {"scoreThreshold": 0}}
    body = perspective.post(
        "/v1alpha1/comments:analyze", json={"comment": {"text": TEXT}, "requestedAttributes": wanted}
    ).json()
    assert values(body) == {"INSULT": whole["INSULT"]}


@pytest.mark.parametrize("choice", ["score", "skip"])
def test_what_becomes_of_other_languages_elsewhere_changes_nothing(attributed: Moderator, choice: Any) -> None:
    with Moderator.load(attributed.bundle.folder, other_languages=choice) as moderator:
        client = client_of(service_of(moderator))
        refused = ask(client, "TOXICITY", text=GERMAN).json()["error"]
        assert refused["message"].startswith("Attribute TOXICITY does not support request languages: de.")
        declared = ask(client, "TOXICITY", text=GERMAN, languages=["en"])
        assert declared.json()["crossguard"]["unsupported_language"] == "de"
        listed = ask(client_of(service_of(moderator, languages="en,de")), "TOXICITY", text=GERMAN).json()
        assert (listed["languages"], listed.get("crossguard")) == (["de"], None)
        marked = ask(client_of(service_of(moderator, perspective_languages="mark")), "TOXICITY", text=GERMAN).json()
        assert (marked["languages"], marked["detectedLanguages"]) == (["de"], ["de"])
        assert values(marked) == values(listed) == values(declared.json())


def test_sentences_are_told_without_the_space_around_them() -> None:
    text = "  One. Two!\n\nThree  "
    assert [text[begin:end] for begin, end in sentences(text, [])] == ["One.", "Two!", "Three"]
    assert sentences("   ", ["de-CH"]) == [(0, 3)]
    long = "Word. " * (MAX_SPANS + 20)
    assert len(sentences(long, ["en"])) == MAX_SPANS
    assert sentences(long, ["en"])[-1][1] == len(long) - 1
    endless = "One. Two " + "'" * 3 * SPLIT_CHARACTERS + " "
    assert sentences(endless, ["en"]) == [(0, 4), (5, len(endless) - 1)]
    stories = [f"{word} {'word ' * 60}end." for word in ("One", "Two", "Three", "Four", "Five", "Six", "Seven")]
    text = " ".join(stories)
    assert [text[begin:end] for begin, end in sentences(text, [])] == stories


@pytest.mark.parametrize("text", ["\N{LEFT DOUBLE QUOTATION MARK}!" * 10_240, "One. " + 'Two "' * 4_000])
def test_the_splitter_gets_little_at_once_for_its_time_grows_with_the_square(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def boundaries(language: str, part: str) -> Any:
        seen.append(len(part))
        return get_sentence_boundaries(language, part)

    monkeypatch.setitem(sentences.__globals__, "get_sentence_boundaries", boundaries)
    assert sentences(text, [])[-1][1] == len(text)
    assert max(seen) <= SPLIT_AT_ONCE
    assert sum(seen) <= 2 * len(text)
