from __future__ import annotations

import pytest
from pydantic import BaseModel

from crossguard.errors import ImageError
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.interfaces.openai import ModerationRequest
from crossguard.serving.interfaces.score import PostBody, PostsBody
from crossguard.serving.json_bodies import validated
from crossguard.serving.settings import ServeSettings
from crossguard.serving.submitted_post import image_of, is_remote


def test_what_a_string_stands_for() -> None:
    assert image_of("data:image/png;base64,AAAA") == "data:image/png;base64,AAAA"
    assert image_of("https://media.example.com/a.png") == "https://media.example.com/a.png"
    assert image_of("AAAA") == "data:;base64,AAAA"


@pytest.mark.parametrize("path", ["/etc/hostname", "etc/hostname", "../../etc/hostname", "~/.ssh/id_rsa", "C:\\a.png"])
def test_a_path_is_never_one(tiny: Moderator, path: str) -> None:
    source = image_of(path)
    assert isinstance(source, str)
    assert source.startswith("data:")
    with pytest.raises(ImageError) as refused:
        tiny.prepare(Post("a", image=source))
    assert refused.value.code in {"image_bad_data_url", "image_not_an_image", "image_empty"}


def test_all_but_what_came_along_is_fetched() -> None:
    sent = ("https://a.example/1", "http://[", "file:///etc/hostname", "etc/hostname", "")
    assert all(map(is_remote, sent)), "and so no string is ever read as a path"
    assert not any(map(is_remote, (b"1", b"https://a.example/1", "data:,", "DATA:,", image_of("etc/hostname"))))


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
