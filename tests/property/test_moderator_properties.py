"""Laws of scoring: a batch gives what its posts give one by one, in order, whatever the batch size."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from crossguard.moderator import Moderator
from crossguard.records import Post

TEXTS = st.one_of(st.just(""), st.text(max_size=60), st.sampled_from(["hello friends", "good morning all"]))
IMAGES = st.one_of(
    st.none(),
    st.just(b"broken"),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda c: Image.new("RGB", (20, 30), (c[0], c[1], 77))),
)
POSTS = st.lists(st.tuples(TEXTS, IMAGES, TEXTS), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(POSTS, st.integers(1, 5))
def test_a_batch_gives_what_its_posts_give_one_by_one(
    tiny: Moderator, parts: list[tuple[str, Image.Image | bytes | None, str]], batch_size: int
) -> None:
    posts = [Post(f"id-{index}", text, image, words) for index, (text, image, words) in enumerate(parts)]
    together = list(tiny.stream(posts, batch_size))
    assert [outcome.id for outcome in together] == [post.id for post in posts]
    for post, outcome in zip(posts, together, strict=True):
        alone = tiny.score([post])[0]
        assert alone.error == outcome.error
        assert alone.scores == pytest.approx(outcome.scores, abs=1e-5)
