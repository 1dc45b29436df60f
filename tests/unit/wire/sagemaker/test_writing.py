"""Replies have the form of their requests, and say what could not be scored."""

from __future__ import annotations

import json

import pytest

from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.wire.sagemaker import JSON_LINES, Form, RequestError, write


def test_the_reply_has_the_form_of_the_request(tiny: Moderator) -> None:
    outcomes = tiny.score([Post("a", "hello"), Post("b", image="data:;base64,AAAA")])
    instances = write(Form.INSTANCES, outcomes)
    good, bad = json.loads(instances.body)["predictions"]
    assert (instances.status, instances.content_type) == (200, "application/json")
    assert set(good) == {
        "class_predictions",
        "probabilities",
        "any_harmful",
        "action",
        "id",
        "model_version",
        "policy",
    }
    assert good["any_harmful"] is any(good["class_predictions"].values())
    assert bad["error"] == "image_not_an_image"
    assert set(bad) == {"error", "message", "id"}
    lines = write(Form.LINES, outcomes)
    assert (lines.status, lines.content_type) == (200, JSON_LINES)
    assert [json.loads(line) for line in lines.body.split("\n")] == [good, bad]
    assert json.loads(write(Form.SINGLE, outcomes[:1]).body) == good


def test_a_request_without_a_scored_post_is_a_client_error(tiny: Moderator) -> None:
    outcomes = tiny.score([Post("b", "hello", image="data:;base64,AAAA")])
    for form in (Form.SINGLE, Form.INSTANCES):
        assert write(form, outcomes).status == 422
    assert write(Form.LINES, outcomes).status == 200, "a batch transform would lose all of its lines"


def test_a_caller_who_takes_no_json_is_told(tiny: Moderator) -> None:
    outcomes = tiny.score(["hello"])
    for accept in (None, "", "*/*", "application/*", "application/json; q=0.9", "text/html, application/jsonlines"):
        assert write(Form.SINGLE, outcomes, accept).status == 200
    with pytest.raises(RequestError, match="text/csv") as failure:
        write(Form.SINGLE, outcomes, "text/csv")
    assert failure.value.status == 406
