"""The official OpenAI client, pointed at the application."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest
from starlette.testclient import TestClient
from tests.support.decisions import decision, failed
from tests.support.serving import client_of, service_of

from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.records import Action, Post
from crossguard.serving.errors import BadRequest, InternalError, TooManyPosts, Unauthorized
from crossguard.serving.interfaces.openai import CATEGORIES, ModerationRequest, error_body, result, submissions


@pytest.fixture
def api(client: TestClient) -> openai.OpenAI:
    return openai.OpenAI(base_url="http://testserver/v1", api_key="any", max_retries=0, http_client=client)


def test_a_text(api: openai.OpenAI, tiny: Moderator) -> None:
    answer = api.moderations.create(input="hello you", model="omni-moderation-latest")
    result: Any = answer.results[0]
    offline = tiny.score(text="hello you")
    assert answer.model == "tiny-1.0.0"
    assert result.flagged is True
    assert result.categories.hate is True
    assert result.category_scores.hate == pytest.approx(max(offline.scores.values()), abs=1e-6)
    assert result.categories.model_extra["hate/racist"] is offline.labels["racist"].flagged
    assert result.decision["action"] == str(offline.action)


def test_categories_that_are_not_measured_say_so(api: openai.OpenAI) -> None:
    result: Any = api.moderations.create(input="hello you").results[0]
    assert result.categories.violence is False
    assert result.category_scores.violence == 0.0
    assert result.category_applied_input_types.violence == []
    assert result.category_applied_input_types.hate == ["text"]


def test_a_list_of_texts_has_a_result_each(api: openai.OpenAI) -> None:
    results: list[Any] = list(api.moderations.create(input=["hello you", "", "i love my friends"]).results)
    assert [entry.decision["status"] for entry in results] == ["scored", "failed", "scored"]
    assert results[1].flagged is False
    assert results[1].category_applied_input_types.hate == []


def test_what_was_not_scored_is_an_error_and_not_unflagged() -> None:
    """A client that reads `flagged` would let all of it through."""
    strict = client_of(service_of(Moderator.load("compact", other_languages="skip")))
    foreign = "Ces gens sont des animaux, il faut les renvoyer chez eux et les frapper tous sans attendre."
    for given, where in (
        (foreign, ""),
        (["hello you", foreign], "input.1: "),
        ([{"type": "text", "text": foreign}], ""),
    ):
        answer = strict.post("/v1/moderations", json={"input": given})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "other_language")
        assert answer.json()["error"]["message"].startswith(f"{where}The text is in the language 'fr'")


def test_text_and_pictures_are_one_post(api: openai.OpenAI, tiny: Moderator, red: bytes, red_url: str) -> None:
    parts: Any = [{"type": "text", "text": "hello you"}, {"type": "image_url", "image_url": {"url": red_url}}]
    answer = api.moderations.create(input=parts)
    result: Any = answer.results[0]
    assert len(answer.results) == 1
    assert result.category_applied_input_types.hate == ["text", "image"]
    offline = tiny.score(text="hello you", image=red)
    assert result.category_scores.model_extra["hate/sexist"] == pytest.approx(offline.scores["sexist"], abs=1e-6)
    more: Any = [*parts, parts[1]]
    assert api.moderations.create(input=more).results[0].category_scores == result.category_scores


def test_errors_are_the_clients_own(api: openai.OpenAI) -> None:
    broken: Any = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError) as failed:
        api.moderations.create(input=broken)
    assert failed.value.code == "image_not_an_image"
    remote: Any = [{"type": "image_url", "image_url": {"url": "http://testserver/healthz"}}]
    with pytest.raises(openai.BadRequestError) as failed:
        api.moderations.create(input=remote)
    assert failed.value.code == "image_url_not_allowed"
    with pytest.raises(openai.NotFoundError) as missing:
        api.moderations.create(input="hello", model="gpt-oss")
    assert missing.value.code == "model_not_found"
    empty: Any = []
    with pytest.raises(openai.BadRequestError):
        api.moderations.create(input=empty)


def test_models(api: openai.OpenAI) -> None:
    listed = [entry.id for entry in api.models.list()]
    assert listed == ["tiny"]
    assert api.models.retrieve("tiny").owned_by == "crossguard"
    with pytest.raises(openai.NotFoundError):
        api.models.retrieve("other")


SHAPES = (
    'input: Input should be a text, a list of texts, or a list of parts such as {"type": "text", "text": ...}; '
    "one list cannot mix texts and parts"
)


@pytest.mark.parametrize(
    ("input_", "message"),
    [
        (["hello", 5], "input.1: Input should be a valid string"),
        (5, SHAPES),
        ({"text": "hello"}, SHAPES),
        (["hello", {"type": "text", "text": "you"}], SHAPES),
        ([{"type": "text", "text": "you"}, "hello"], SHAPES),
        ([{"type": "text", "text": 5}], "input.0.text: Input should be a valid string"),
        (
            [{"type": "image_url", "image_url": "https://x/y.png"}],
            'input.0.image_url: Input should be an object: {"url": ...}',
        ),
        ([{"type": "image_url", "image_url": {}}], "input.0.image_url.url: Field required"),
        ([{"type": "qzxv", "text": "hello"}], "input.0.type: Input should be one of 'text', 'image_url'"),
        ([{"text": "hello"}], "input.0.type: Field required"),
    ],
)
def test_what_is_wrong_with_an_input_is_one_sentence(client: TestClient, input_: object, message: str) -> None:
    answer = client.post("/v1/moderations", json={"input": input_})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


def test_what_a_request_holds() -> None:
    assert submissions(ModerationRequest(input="hello")) == [Post("0", "hello")]
    assert submissions(ModerationRequest(input=["a", "b"])) == [Post("0", "a"), Post("1", "b")]
    address = {"type": "image_url", "image_url": {"url": "https://media.example.com/a.png"}}
    parts = ModerationRequest.model_validate(
        {"input": [{"type": "text", "text": "a"}, address, {"type": "text", "text": "b"}]}
    )
    assert submissions(parts) == [Post("0", "a b", more_images=("https://media.example.com/a.png",))]
    with pytest.raises(BadRequest, match="empty"):
        submissions(ModerationRequest(input=[]))


def test_a_post_that_failed_has_every_category_and_none_applied() -> None:
    found = result(Post("0", "hello"), failed("0"), ("racist", "insult"))
    assert found["flagged"] is False
    assert set(found["categories"]) == {*CATEGORIES, "hate/racist", "insult"}
    assert set(found["category_scores"].values()) == {0.0}
    assert not any(found["category_applied_input_types"].values())


def test_hate_is_the_union_and_a_label_that_is_none_has_its_own_name() -> None:
    known = decision("0", 0.75)
    found = result(Post("0", "hello"), known, tuple(known.labels))
    assert found["category_scores"]["hate"] == 0.75
    assert found["categories"]["hate/racist"] is True
    assert found["category_applied_input_types"]["hate"] == ["text"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("no"), "invalid_request_error"),
        (Unauthorized("no"), "authentication_error"),
        (TooManyPosts("no"), "rate_limit_error"),
        (InternalError("no"), "server_error"),
    ],
)
def test_errors_have_openais_types(error: BadRequest, kind: str) -> None:
    assert error_body(error, "id")["error"] == {"message": "no", "type": kind, "param": None, "code": error.code}


def test_what_is_blocked_by_an_attribute_is_flagged() -> None:
    """A client of OpenAI's reads nothing else, and would publish the post."""
    calm = decision("1", 0.1)
    post = Post("1", "hello")
    assert result(post, calm, HATE.names)["flagged"] is False
    assert result(post, replace(calm, action=Action.BLOCK, decided_by=("toxicity",)), HATE.names)["flagged"] is True
