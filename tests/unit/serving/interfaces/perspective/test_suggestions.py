"""Suggestions: kept where the operator wants it, as one line each that only the owner may read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.serving.errors import Overloaded
from crossguard.serving.interfaces.perspective import suggestions
from crossguard.serving.interfaces.perspective.schema import SuggestCommentScoreRequest
from crossguard.serving.interfaces.perspective.suggestions import MAX_ATTRIBUTES, MAX_TEXT, append, record_of

PATH = "/v1alpha1/comments:suggestscore"
SCORES = {"TOXICITY": {"summaryScore": {"value": 0.9}}}


def body(text: str = "hello you", **more: Any) -> dict[str, Any]:
    return {"comment": {"text": text}, "attributeScores": SCORES, **more}


def test_they_are_kept_where_a_file_is_named(attributed: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "suggestions.jsonl"
    client = client_of(service_of(attributed, suggestions=path))
    answer = client.post(PATH, json=body(communityId="c", clientToken="t", languages=["en"]))
    assert answer.json() == {"clientToken": "t", "requestedLanguages": ["en"]}
    assert answer.headers["x-crossguard-stored"] == "true"
    client.post(PATH, json=body("and again"))
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first | {"time": ""} == {
        "time": "",
        "caller": "anonymous",
        "text": "hello you",
        "attributes": {"TOXICITY": 0.9},
        "community_id": "c",
        "client_token": "t",
    }
    assert second["text"] == "and again"
    assert path.stat().st_mode & 0o777 == 0o600


def test_they_are_dropped_where_none_is(perspective: TestClient) -> None:
    answer = perspective.post(PATH, json=body())
    assert answer.status_code == 200
    assert answer.headers["x-crossguard-stored"] == "false"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (body(" \n"), "COMMENT_EMPTY"),
        (body("a" * (MAX_TEXT + 1)), "COMMENT_TOO_LONG"),
        (body(attributeScores={}), "NO_ATTRIBUTE_SCORES"),
        (body(attributeScores={f"A{n}": SCORES["TOXICITY"] for n in range(MAX_ATTRIBUTES + 1)}), "NO_ATTRIBUTE_SCORES"),
        (body(languages=["de"]), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
        (body(attributeScores={"TOXICITY": {"summaryScore": {"value": 2}}}), "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_kept_is_refused(perspective: TestClient, wrong: dict[str, Any], code: str) -> None:
    answer = perspective.post(PATH, json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["errorType"] == code


def test_what_callers_choose_is_cut_short() -> None:
    request = SuggestCommentScoreRequest.model_validate(
        {"comment": {"text": "a"}, "attributeScores": {"A" * 500: SCORES["TOXICITY"]}, "communityId": "c" * 500}
    )
    record = record_of(request, "forum")
    assert (record["caller"], record["client_token"], len(record["community_id"])) == ("forum", None, 200)
    assert list(record["attributes"]) == ["A" * 80]


def test_a_full_file_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "MAX_BYTES", 10)
    append(tmp_path / "file", "12345\n")
    with pytest.raises(Overloaded) as full:
        append(tmp_path / "file", "12345\n")
    assert full.value.retry_after == 3600
    assert (tmp_path / "file").read_text(encoding="ascii") == "12345\n"


def test_a_full_disk_leaves_no_half_line_that_the_next_one_would_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "suggestions.jsonl"
    append(path, "first\n")
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(OSError, match="No space left"):
            append(path, "second\n")
    append(path, "third\n")
    assert path.read_text(encoding="utf-8") == "first\nthird\n"
