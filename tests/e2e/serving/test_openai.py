"""The official OpenAI client, pointed at the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.support.server import RunningServer

from crossguard.moderator import Moderator


@pytest.fixture
def api(server: RunningServer) -> Iterator[openai.OpenAI]:
    transport = openai.DefaultHttpxClient(trust_env=False)
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, http_client=transport) as client:
        yield client


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


def test_errors_are_the_clients_own(api: openai.OpenAI, server: RunningServer) -> None:
    broken: Any = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError) as failed:
        api.moderations.create(input=broken)
    assert failed.value.code == "image_not_an_image"
    remote: Any = [{"type": "image_url", "image_url": {"url": f"{server.url}/healthz"}}]
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
