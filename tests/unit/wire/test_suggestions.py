"""A suggestion as a console takes it: one post for each text, one vote for each who suggests."""

from __future__ import annotations

from typing import Any

import pytest

from crossguard.review.submissions import Submission
from crossguard.wire.suggestions import as_item

RECORD: dict[str, Any] = {"text": "Go away.", "attributes": {"TOXICITY": 0.9}, "caller": "forum"}


def test_the_same_text_is_the_same_post_whoever_suggests() -> None:
    first, second = as_item(RECORD), as_item(RECORD | {"caller": "blog", "attributes": {"INSULT": 0.1}})
    assert first["id"] == second["id"]
    assert as_item(RECORD | {"text": "Go away!"})["id"] != first["id"]
    assert second["suggestion"] == {"by": "blog", "scores": {"INSULT": 0.1}}


def test_people_behind_one_caller_have_votes_of_their_own() -> None:
    known = {"community_id": "town", "client_token": "7"}
    assert as_item(RECORD | known)["suggestion"]["by"] == "forum/town/7"
    assert as_item(RECORD | {"caller": None})["suggestion"]["by"] == "unknown"


def test_whatever_was_said_is_a_post_that_the_console_takes() -> None:
    item = as_item(RECORD | {"text": "half a character \ud800", "caller": "x" * 500})
    taken = Submission.model_validate(item | {"text": "half"})
    assert taken.suggestion is not None
    assert len(taken.suggestion.by) == 256


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"community_id": "town/7"}, {"community_id": "town", "client_token": "7"}),
        ({"community_id": "7"}, {"client_token": "7"}),
        ({"caller": "a/b"}, {"caller": "a", "community_id": "b"}),
        ({"caller": "a/b"}, {"caller": "a%2Fb"}),
        ({"client_token": "x" * 300 + "1"}, {"client_token": "x" * 300 + "2"}),
    ],
)
def test_no_two_people_have_one_name(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = (as_item(RECORD | who)["suggestion"]["by"] for who in (one, other))
    assert first != second


@pytest.mark.parametrize("record", [{"text": "a"}, {"attributes": {}}, {"text": "a", "attributes": 3}])
def test_what_is_no_suggestion_is_an_error(record: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        as_item(record)
