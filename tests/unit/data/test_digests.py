"""Whether a post is the one that was scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.decisions import decision

from crossguard.data.digests import digest, is_other
from crossguard.records import Post


@pytest.mark.parametrize(
    "other",
    [
        Post("1", "hello"),
        Post("1", "hello there", image_text="x"),
        Post("1", "", image_text="hello there"),
        Post("1", "hello there", "a.png"),
        Post("1", "hello there", b"a.png"),
    ],
)
def test_what_a_post_says_and_shows_decides(other: Post) -> None:
    post = Post("1", "hello there")
    assert digest(post) == digest(replace(post, id="2"))
    assert digest(post) != digest(other)


def test_of_an_image_in_a_file_the_name_counts() -> None:
    here, there, address = "/here/a.png", Path("/there/a.png"), "https://x.example/here/a.png"
    assert digest(Post("1", image=here)) == digest(Post("1", image=there))
    assert digest(Post("1", image=here)) != digest(Post("1", image=address))


def test_a_decision_is_of_another_post_only_where_that_is_known() -> None:
    made = replace(decision("1"), digest=digest(Post("1", "hello")))
    assert not is_other(made, Post("1", "hello"))
    assert is_other(made, Post("1", "hello there"))
    assert not is_other(made, Post("1", "hello", b"bytes of a job"))
    assert not is_other(decision("1"), Post("1", "hello there")), "over HTTP there is none"
    assert not is_other(replace(made, digest="4.17283E+15"), Post("1", "hello there")), "Excel took it for a number"
