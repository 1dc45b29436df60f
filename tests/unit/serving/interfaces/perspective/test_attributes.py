"""Which attributes a model answers, and with which number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from tests.support.decisions import decision
from tests.support.perspective_requests import GERMAN, ask, values
from tests.support.serving import call_of, client_of, service_of

from crossguard.labels import UNION
from crossguard.moderator import Moderator
from crossguard.serving.errors import BadRequest
from crossguard.serving.interfaces.perspective.attributes import (
    MAX_ATTRIBUTES,
    NEIGHBOURS,
    answerable,
    attribute_score,
    check_language,
    declared_other,
    estimate_of,
    known_attributes,
    language_not_supported,
)


def test_a_model_answers_its_labels_and_the_union_of_hate(tiny: Moderator, attributed: Moderator) -> None:
    assert known_attributes(tiny) == (UNION, *(name.upper() for name in tiny.labels.names))
    assert known_attributes(attributed)[0] == UNION
    assert "SEVERE_TOXICITY" in known_attributes(attributed)


def test_a_score_is_the_attributes_the_labels_or_the_unions() -> None:
    found = replace(decision("1", 0.75), attributes={"toxicity": 0.3})
    assert [attribute_score(found, name) for name in ("TOXICITY", "RACIST", UNION)] == [0.3, 0.75, 0.75]


def test_what_is_lacking_is_estimated_left_out_or_refused(tiny: Moderator) -> None:
    asked: dict[str, object] = {UNION: {}, "TOXICITY": {}, "SPAM": {}}
    estimated = answerable(asked, tiny, "estimate")
    assert estimated.sources == {UNION: UNION, "TOXICITY": UNION}
    assert (estimated.estimated, estimated.omitted) == ({"TOXICITY": UNION}, ["SPAM"])
    omitted = answerable(asked, tiny, "omit")
    assert (omitted.sources, omitted.omitted) == ({UNION: UNION}, ["TOXICITY", "SPAM"])
    with pytest.raises(BadRequest, match="Attribute TOXICITY is not supported"):
        answerable(asked, tiny, "error")
    with pytest.raises(BadRequest, match="Attribute SPAM is not supported"):
        answerable({"SPAM": {}}, tiny, "estimate")
    with pytest.raises(BadRequest, match="1 to 100 are needed"):
        answerable({}, tiny, "estimate")


def test_versions_multiply_what_is_asked_only_so_far(tiny: Moderator) -> None:
    """Each is answered for each of up to 100 sentences: without a bound, a short request gets a very long answer."""
    asked = [f"{UNION}@{number}" for number in range(MAX_ATTRIBUTES + 1)]
    assert len(answerable(dict.fromkeys(asked[1:]), tiny, "error").sources) == MAX_ATTRIBUTES
    with pytest.raises(BadRequest, match="1 to 100 are needed") as refused:
        answerable(dict.fromkeys(asked), tiny, "error")
    assert refused.value.code == "no_requested_attributes"


@pytest.mark.parametrize("version", ["", "@6", "@1.0.0", "@tiny-1.0.0"])
def test_googles_versions_and_the_served_one_pass(tiny: Moderator, version: str) -> None:
    assert answerable({UNION + version: {}}, tiny, "error").sources == {UNION + version: UNION}


def test_another_version_does_not(tiny: Moderator) -> None:
    with pytest.raises(BadRequest, match=r"Served: tiny-1\.0\.0") as refused:
        answerable({f"{UNION}@other-9": {}}, tiny, "estimate")
    assert refused.value.code == "attribute_version_not_supported"


def test_an_estimate_is_the_nearest_known_one_and_never_itself() -> None:
    assert estimate_of("TOXICITY_EXPERIMENTAL", ("TOXICITY",)) == "TOXICITY"
    assert estimate_of("TOXICITY_EXPERIMENTAL", ("INSULT", UNION)) == "INSULT"
    assert estimate_of("THREAT", (UNION,)) == UNION
    assert estimate_of("SPAM", ("TOXICITY",)) is None
    assert all(name not in nearest for name, nearest in NEIGHBOURS.items())


@pytest.mark.parametrize(("missing", "status", "found"), [("error", 400, set()), ("omit", 200, {UNION})])
def test_the_operator_decides_what_becomes_of_it(
    served_model: Moderator, missing: str, status: int, found: set[str]
) -> None:
    client = client_of(service_of(served_model, perspective_missing=missing))
    answer = ask(client, "TOXICITY", UNION)
    assert answer.status_code == status
    assert set(answer.json().get("attributeScores", {})) == found
    assert ask(client, "TOXICITY").status_code == 400


@pytest.mark.parametrize(
    ("declared", "other"),
    [([], ""), (["en"], ""), (["EN-gb", "de"], ""), (["en_US"], ""), (["de", "fr-CA"], "de"), (["x" * 50], "x" * 50)],
)
def test_a_request_that_declares_one_known_language_is_in_it(declared: list[str], other: str) -> None:
    assert declared_other(declared, ("en",)) == other


def test_another_language_is_an_error_unless_marks_were_chosen(attributed: Moderator) -> None:
    check_language("", ["TOXICITY"], call_of(service_of(attributed)))
    check_language("de", ["TOXICITY"], call_of(service_of(attributed, perspective_languages="mark")))
    with pytest.raises(
        BadRequest, match=r"TOXICITY does not support request languages: de\. Supported: en, nl\."
    ) as refused:
        check_language("de", ["TOXICITY", "INSULT"], call_of(service_of(attributed, languages="en-US, EN, nl")))
    assert (refused.value.status, refused.value.code) == (400, "language_not_supported_by_attribute")


def test_names_of_callers_are_cut_short() -> None:
    assert len(str(language_not_supported("x" * 500, ["A" * 500], ("en",)))) < 300


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
