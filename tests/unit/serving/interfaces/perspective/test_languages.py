"""Comments in other languages: Google's error, or scores that say so."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.support.perspective_requests import GERMAN, ask, values
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving.interfaces.perspective.languages import (
    LanguageNotSupportedError,
    check_language,
    declared_other,
)
from crossguard.serving.settings import ServeSettings


@pytest.mark.parametrize(
    ("declared", "other"),
    [([], ""), (["en"], ""), (["EN-gb", "de"], ""), (["en_US"], ""), (["de", "fr-CA"], "de"), (["x" * 50], "x" * 50)],
)
def test_a_request_that_declares_one_known_language_is_in_it(declared: list[str], other: str) -> None:
    assert declared_other(declared, ("en",)) == other


def test_another_language_is_an_error_unless_marks_were_chosen() -> None:
    check_language("", ["TOXICITY"], ServeSettings())
    check_language("de", ["TOXICITY"], ServeSettings(perspective_languages="mark"))
    with pytest.raises(
        LanguageNotSupportedError, match=r"TOXICITY does not support request languages: de\. Supported: en, nl\."
    ) as refused:
        check_language("de", ["TOXICITY", "INSULT"], ServeSettings(languages=("en", "nl")))
    assert (refused.value.status, refused.value.code) == (400, "language_not_supported_by_attribute")


def test_names_of_callers_are_cut_short() -> None:
    assert len(str(LanguageNotSupportedError("x" * 500, ["A" * 500], ["en"]))) < 300


def test_with_marks_other_languages_are_answered(attributed: Moderator) -> None:
    client: TestClient = client_of(service_of(attributed, perspective_languages="mark"))
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
