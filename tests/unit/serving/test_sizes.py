"""Too many posts or images are counted as they were sent, and refused before any becomes an object."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.interfaces.openai import ModerationRequest
from crossguard.serving.interfaces.score import PostBody, PostsBody
from crossguard.serving.json_bodies import validated
from crossguard.serving.settings import ServeSettings

FEW = ServeSettings(max_posts=2, max_images=2)


@pytest.mark.parametrize(
    ("model", "body", "code"),
    [
        (PostsBody, '{"posts": [{}, {}, 5]}', "too_many_posts"),
        (PostsBody, '{"posts": [{"images": ["a", "b", 5]}]}', "too_many_images"),
        (PostBody, '{"images": ["a", "b", 5]}', "too_many_images"),
        (ModerationRequest, '{"input": ["a", "b", 5]}', "too_many_posts"),
        (ModerationRequest, f'{{"input": [{",".join(["{}"] * 1001)}]}}', "too_many_parts"),
    ],
)
def test_what_is_too_much_is_not_read(model: type[BaseModel], body: str, code: str) -> None:
    """The last entry is of a wrong kind, which nothing speaks of."""
    with pytest.raises(BodyTooLarge) as refused:
        validated(model, body, context=FEW)
    assert refused.value.code == code


def test_what_fits_is_read() -> None:
    assert len(validated(PostsBody, '{"posts": [{"text": "a"}, {"images": ["b", "c"]}]}', context=FEW).posts) == 2
    assert validated(ModerationRequest, '{"input": ["a", "b"]}', context=FEW).input == ["a", "b"]
    three = '[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "text", "text": "c"}]'
    assert len(validated(ModerationRequest, f'{{"input": {three}}}', context=FEW).input) == 3
