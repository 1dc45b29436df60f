"""The body of a request becomes posts, or a client error that says why not."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.decisions import failed

from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.wire.sagemaker.bodies import read, write
from crossguard.wire.sagemaker.schema import JSON_LINES, Form, RequestError

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
        "c9fe92ef0000000049454e44ae426082"
    )
).decode()


def posts(body: bytes | str, content_type: str | None = "application/json") -> list[Post]:
    return list(read(body, content_type).posts)


@pytest.mark.parametrize("kind", [bytes, bytearray, str])
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON", None]
)
def test_the_request_of_the_cards_is_read(kind: type, content_type: str | None) -> None:
    text = json.dumps({"instances": [{"text": "hello", "image_base64": PIXEL}, {"text": "good", "id": 7}]})
    body = text if kind is str else kind(text.encode())
    invocation = read(body, content_type)
    assert invocation.form is Form.INSTANCES
    assert invocation.posts == (Post("0", "hello", f"data:;base64,{PIXEL}"), Post("7", "good"))


def test_a_single_post_needs_no_list() -> None:
    invocation = read(b'{"text": "hello", "image_text": "words", "id": "a", "image_base64": null}', "application/json")
    assert invocation.form is Form.SINGLE
    assert invocation.posts == (Post("a", "hello", None, "words"),)


def test_lines_keep_their_places_and_fail_alone() -> None:
    body = b'{"text": "a\\u2028b"}\r\n\n{"text": \n[1]\n{"text": "\xff"}\n{"txt": "x", "id": "named"}\n{"text": "z"}\n'
    first, *bad, last = posts(body, "application/x-jsonlines")
    assert first == Post("0", "a\u2028b")
    assert last == Post("6", "z")
    assert [entry.error.code for entry in bad if entry.error] == [
        "line_malformed",
        "line_malformed",
        "post_malformed",
        "line_malformed",
        "post_malformed",
    ]
    assert [entry.id for entry in bad] == ["1", "2", "3", "4", "named"]


def test_an_image_is_never_a_path() -> None:
    """A caller who could name paths would read the files of the server."""
    path, url, data = posts(
        json.dumps(
            {
                "instances": [
                    {"image_base64": "/etc/passwd"},
                    {"image_url": "https://example.com/a.png"},
                    {"image_url": f"data:image/png;base64,{PIXEL}"},
                ]
            }
        )
    )
    assert isinstance(path, Post)
    assert path.image == "data:;base64,/etc/passwd"
    assert isinstance(url, Post)
    assert url.image == "https://example.com/a.png"
    assert isinstance(data, Post)
    assert data.image == f"data:image/png;base64,{PIXEL}"
    for wrong in ("/etc/passwd", "image.png", "C:\\image.png"):
        (entry,) = posts(json.dumps({"image_url": wrong}))
        assert entry.error is not None
        assert entry.error.code == "image_url_not_allowed"


def test_a_bare_image_is_a_post(tiny: Moderator) -> None:
    image = base64.b64decode(PIXEL)
    invocation = read(image, "image/png")
    assert invocation == read(image, "application/x-image")
    reply = write(invocation.form, list(tiny.stream(invocation.posts)))
    assert reply.status is HTTPStatus.OK
    assert set(json.loads(reply.body)["probabilities"]) == set(tiny.labels.names)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"txt": "hello"}, "Did you mean 'text'"),
        ({"text": 5}, "'text'"),
        ({"text": ["hello"] * 1000}, "'text'"),
        ("hello", "must be an object"),
        ({"image_url": "data:,a", "image_base64": "aa"}, "both"),
    ],
)
def test_a_wrong_post_says_what_would_be_right(entry: Any, words: str) -> None:
    bad, good = posts(json.dumps({"instances": [entry, {"text": "hello"}]}))
    assert bad.error is not None
    assert words in bad.error.message
    assert len(bad.error.message) < 500
    assert good == Post("1", "hello")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"1" * 5000, "application/json", 400),
        (b'"hello"', "application/json", 400),
        (b'{"instances": []}', "application/json", 400),
        (b'{"instances": [{}], "more": 1}', "application/json", 400),
        (b"", JSON_LINES, 400),
        ("image", "image/png", 400),
        (b"a,b", "text/csv", 415),
        (b"{}", "application/json; charset=utf-16", 415),
        (b"{}", "nonsense", 415),
    ],
)
def test_a_broken_request_gets_a_status_and_a_reason(body: bytes | str, content_type: str, status: int) -> None:
    with pytest.raises(RequestError) as failure:
        read(body, content_type)
    assert failure.value.status == status
    assert json.loads(failure.value.to_json()) == {"error": failure.value.code, "message": str(failure.value)}


def test_there_may_be_a_cap_on_posts() -> None:
    body = b'{"text": "a"}\n' * 3
    assert len(read(body, JSON_LINES, max_posts=3).posts) == 3
    with pytest.raises(RequestError, match="may have 2 posts, and this one has 3") as failure:
        read(body, JSON_LINES, max_posts=2)
    assert failure.value.status == 413


@given(st.lists(st.text(), min_size=1, max_size=8))
def test_any_text_comes_back_under_its_own_line(texts: list[str]) -> None:
    body = "\n".join(json.dumps({"text": text, "id": text}) for text in texts).encode()
    invocation = read(body, JSON_LINES)
    assert [entry.id for entry in invocation.posts] == texts
    outcomes = [failed(post.id, "r", "m") for post in invocation.posts]
    reply = write(invocation.form, outcomes)
    assert reply.body.isascii()
    assert [json.loads(line)["id"] for line in reply.body.split("\n")] == texts


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200)))
def test_any_body_gives_posts_or_a_client_error(body: bytes | str) -> None:
    for content_type in ("application/json", JSON_LINES):
        try:
            answer = len(read(body, content_type).posts)
        except RequestError as error:
            answer = error.status
        assert 0 < answer < 500


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


def test_a_body_may_begin_with_the_mark_of_utf8() -> None:
    for object_ in ('\ufeff{"text": "hello"}', b'\xef\xbb\xbf{"instances": [{"text": "hello"}]}'):
        assert [post.text for post in posts(object_)] == ["hello"]
    body = '\ufeff{"text": "hello"}\n{"text": "you"}'
    for given_body in (body, body.encode()):
        assert [post.text for post in posts(given_body, JSON_LINES)] == ["hello", "you"]


@pytest.mark.parametrize("kind", [bytes, str])
@pytest.mark.parametrize(
    ("body", "content_type", "count"),
    [
        ("\n" * 100, "application/jsonlines", 100),
        ("{}\n{}\n{}", "application/jsonlines", 3),
        ('{"instances": [1, 2, 3, 4]}', "application/json", 4),
    ],
)
def test_posts_are_counted_before_they_are_made(
    kind: type, body: str, content_type: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Post, "failed", None)
    with pytest.raises(RequestError, match=f"may have 2 posts, and this one has {count}") as refused:
        read(body if kind is str else body.encode(), content_type, max_posts=2)
    assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def test_a_line_end_at_the_end_is_no_post() -> None:
    assert len(read(b'{"text": "a"}\n{"text": "b"}\n', "application/jsonlines", max_posts=2).posts) == 2
