"""SageMaker's wire format: a body becomes posts, or a client error that says why not."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.support.decisions import failed

from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.wire.sagemaker import (
    JSON,
    JSON_LINES,
    Form,
    Instance,
    RequestError,
    check_accept,
    is_image_type,
    media_type,
    read,
    write,
)

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


def test_half_a_character_is_replaced_in_what_comes_back() -> None:
    lines = [
        rb'{"text": "a\uD83D b", "id": "a\ud83d"}',
        rb'{"text": "\ud83d\ude00", "id": "\ud83d\ude00"}',
        rb'{"te\udc00xt": "a"}',
    ]
    first, second, wrong = posts(b"\n".join(lines), JSON_LINES)
    assert (first.text, first.id) == ("a\N{REPLACEMENT CHARACTER} b", "a\N{REPLACEMENT CHARACTER}")
    assert second.text == second.id == "\N{GRINNING FACE}"
    reply = write(
        Form.LINES, [failed(post.id, "r", post.error.message if post.error else "m") for post in (first, wrong)]
    )
    assert "\\ud" not in reply.body


def test_many_posts_may_be_sent_with_no_other_key() -> None:
    with pytest.raises(RequestError, match="at least one post and no other key"):
        read(b'{"instances": [{"text": "a"}, {"text": "b"}], "parameters": {}}', "application/json")


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


def test_a_post_is_named_by_its_caller_or_by_its_place() -> None:
    assert Instance.model_validate({"text": "a"}).post("3") == Post("3", "a")
    assert Instance.model_validate({"text": "a", "id": 0}).post("3").id == "0"
    assert Instance.model_validate({"text": "a", "id": ""}).post("3").id == ""
    assert Instance.model_validate({}).post("3") == Post("3")


@pytest.mark.parametrize(
    ("fields", "image"),
    [
        ({"image_base64": "QUJD"}, "data:;base64,QUJD"),
        ({"image_base64": "data:image/png;base64,QUJD"}, "data:image/png;base64,QUJD"),
        ({"image_base64": "/etc/hostname"}, "data:;base64,/etc/hostname"),
        ({"image_base64": "https://a/b.png"}, "data:;base64,https://a/b.png"),
        ({"image_url": "https://a/b.png"}, "https://a/b.png"),
        ({"image_base64": "QUJD", "image_url": "https://a/b.png"}, "data:;base64,QUJD"),
        ({"image_base64": "", "image_url": ""}, None),
    ],
)
def test_an_image_is_bytes_or_an_address(fields: dict[str, str], image: str | None) -> None:
    assert Instance.model_validate(fields).post("0").image == image


@pytest.mark.parametrize("wrong", [{"txt": "a"}, {"text": 3}, {"id": 1.5}])
def test_what_is_no_post_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Instance.model_validate(wrong)


def test_a_refusal_tells_programs_and_people() -> None:
    error = RequestError(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", "Take JSON, h\u00e9.")
    assert error.status == 406
    assert json.loads(error.to_json()) == {"error": "not_acceptable", "message": "Take JSON, h\u00e9."}
    assert error.to_json().isascii()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (None, JSON),
        ("", JSON),
        ("Application/JSON; Charset=UTF-8", JSON),
        ("application/x-ndjson", "application/x-ndjson"),
        ("image/png", "image/png"),
        ("application/x-image", "application/x-image"),
    ],
)
def test_a_type_is_known_without_case_and_parameters(sent: str | None, kind: str) -> None:
    assert media_type(sent) == kind
    assert is_image_type(kind) is ("image" in kind)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("text/csv", "is 'text/csv'"),
        ("application/json; charset=latin-1", "in 'latin-1'"),
        ("imagery/png", "is 'imagery/png'"),
        ('application/json; charset="' + ";" * 1000, "may have 1000 characters"),
    ],
)
def test_another_type_or_character_set_is_415(sent: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as refused:
        media_type(sent)
    assert refused.value.status == 415


@pytest.mark.parametrize(
    "accept", [None, "", "*/*", "application/*;q=0.1", "application/json; q=0.9", f"text/html, {JSON_LINES}; q=0.9"]
)
def test_a_caller_who_takes_json_in_some_way_is_answered(accept: str | None) -> None:
    check_accept(accept)


def test_a_caller_who_takes_none_is_told() -> None:
    with pytest.raises(RequestError, match="accepts only 'text/csv, image/") as refused:
        check_accept("text/csv, image/*")
    assert refused.value.status == 406
