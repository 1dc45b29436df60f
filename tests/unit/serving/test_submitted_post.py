from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from PIL import Image
from pydantic import BaseModel

from crossguard.errors import ImageError
from crossguard.moderator import Moderator
from crossguard.preprocessing.text import TextEncoder, Tokens
from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.interfaces.openai import ModerationRequest
from crossguard.serving.interfaces.score import PostBody, PostsBody
from crossguard.serving.json_bodies import validated
from crossguard.serving.settings import ServeSettings
from crossguard.serving.submitted_post import RemoteImage, SubmittedPost, image_of


def test_what_a_string_stands_for() -> None:
    assert image_of("data:image/png;base64,AAAA") == "data:image/png;base64,AAAA"
    assert image_of("https://media.example.com/a.png") == RemoteImage("https://media.example.com/a.png")
    assert image_of("AAAA") == "data:;base64,AAAA"


@pytest.mark.parametrize("path", ["/etc/hostname", "etc/hostname", "../../etc/hostname", "~/.ssh/id_rsa", "C:\\a.png"])
def test_a_path_is_never_one(tiny: Moderator, path: str) -> None:
    source = image_of(path)
    assert isinstance(source, str)
    assert source.startswith("data:")
    with pytest.raises(ImageError) as refused:
        tiny.prepare(SubmittedPost("a", images=(source,)).post())
    assert refused.value.code in {"image_bad_data_url", "image_not_an_image", "image_empty"}


def test_modalities() -> None:
    assert SubmittedPost("a", "text").modalities == ("text",)
    assert SubmittedPost("a", image_text="words", images=(b"1",)).modalities == ("text", "image")
    assert SubmittedPost("a").modalities == ()


def test_images_on_the_web_are_counted() -> None:
    post = SubmittedPost(
        "a", images=(b"1", RemoteImage("https://a.example/1"), "data:,", RemoteImage("https://a.example/2"))
    )
    assert post.remote == 2
    assert SubmittedPost("a", "https://a.example/1").remote == 0


def test_what_is_scored_has_all_images() -> None:
    post = SubmittedPost("a", "hello you", "good morning", (b"1", b"2", b"3")).post()
    assert post.images == (b"1", b"2", b"3")
    assert (post.id, post.text, post.image_text) == ("a", "hello you", "good morning")
    assert SubmittedPost("a", "hello").post().images == ()


def test_a_text_is_tokenised_once_however_many_images_there_are(
    tiny: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "PNG")
    seen: list[tuple[str, str]] = []
    encode = TextEncoder.encode

    def noted(self: TextEncoder, texts: Sequence[tuple[str, str]]) -> list[Tokens]:
        seen.extend(texts)
        return encode(self, texts)

    monkeypatch.setattr(TextEncoder, "encode", noted)
    made = tiny.prepare(SubmittedPost("a", "hello you", "good morning", (image.getvalue(),) * 3).post())
    assert seen == [("hello you", "good morning")]
    assert len(made.frames) == 3


def test_a_post_costs_what_all_of_it_takes() -> None:
    assert SubmittedPost("a", "a" * 600, "b" * 600, (b"1", b"2")).cost(windows=32) == 4


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
