"""Versions of a post are told apart by what they say and show."""

from __future__ import annotations

import pytest

from crossguard.review.store.contents import Content

SENT = Content("words", "on the image", ())


@pytest.mark.parametrize(
    ("before", "now", "edited"),
    [
        (SENT, SENT, False),
        (SENT, Content("other words", "on the image", ()), True),
        (SENT, Content("words", "other", ()), True),
        (SENT, Content("words", "", ()), False),
        (Content("words", "", ()), SENT, False),
        (SENT, Content("", "", ()), False),
        (Content("", "", (), erased=True), SENT, False),
    ],
)
def test_a_post_is_edited_where_something_else_is_known_of_it(before: Content, now: Content, edited: bool) -> None:
    assert before.is_edited(now) == edited
