"""What is wrong with a JSON body is said in one sentence, which never quotes it."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from crossguard.serving.errors import BadRequest, BodyTooLarge
from crossguard.serving.interfaces.score import PostBody, PostsBody
from crossguard.serving.json_bodies import MAX_PROBLEMS, as_json, check_values, validated


def refused(body: bytes | str) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        validated(PostsBody, body)
    return caught.value


def test_a_body_becomes_a_model() -> None:
    assert validated(PostBody, '{"text": "h\\u00e9"}').text == "h\u00e9"


@pytest.mark.parametrize("body", ["", "{", b"\xff\xfe", '{"posts": [}'])
def test_what_is_no_json_has_a_word_of_its_own(body: bytes | str) -> None:
    assert refused(body).code == "invalid_json"


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ('{"posts": [{"text": "a, b, c"}, {"text": "d, e"}]}', 1),
        (r'{"text": "a \\", "id": "\"b\", \\\", c, d"}', 1),
        ('{"text": "' + "," * 1000 + '"}', 0),
        ("[" + "[]," * 100 + "[]]", 100),
        ("{" + ",".join(f'"{n}": "a"' for n in range(101)) + "}", 100),
        ("[" + '"a",' * 100 + '"a"]', 100),
    ],
)
def test_values_are_counted_before_they_are_built(body: str, values: int) -> None:
    json.loads(body)
    check_values(body.encode(), values)
    if values:
        with pytest.raises(BodyTooLarge, match=f"more than {values - 1:,} values"):
            check_values(body.encode(), values - 1)


def test_an_emoji_that_was_cut_is_replaced_as_in_files() -> None:
    body = '{"posts": [{"text": "good \\ud83d"}, {"text": "\\ud83d\\ude00"}]}'
    for form in (body, body.encode()):
        assert [post.text for post in validated(PostsBody, form).posts] == ["good \ufffd", "\U0001f600"]
    assert refused('{"posts": [{"text": 5, "id": "\\ud83d"}]}').code == "invalid_request"
    assert refused("[" * 100_000).code == "invalid_json"


def test_values_are_not_converted_and_never_quoted() -> None:
    error = refused('{"posts": [{"text": 5}, {"id": "qzxv", "image": {"qzxv": 1}}]}')
    assert error.code == "invalid_request"
    assert error.message.startswith("posts.0.text: Input should be a valid string; posts.1.image: ")
    assert "qzxv" not in error.message


def test_a_few_problems_are_enough() -> None:
    error = refused(json.dumps({"posts": [{"text": n} for n in range(50)]}))
    assert error.message.count("valid string") == MAX_PROBLEMS


def test_a_long_key_is_cut_short() -> None:
    assert len(refused(json.dumps({"k" * 5000: 1, "posts": [{}]})).message) < 300


def test_a_key_that_is_not_known_is_named_with_its_neighbour(client: TestClient) -> None:
    message = client.post("/v1/score", json={"txt": "hello"}).json()["error"]["message"]
    assert message == "Unknown key 'txt'. Did you mean 'text'? Known: id, image, image_text, images, text."
    message = client.post("/v1/score/batch", json={"posts": [{"imge": "x"}]}).json()["error"]["message"]
    assert message.startswith("Unknown key 'posts.0.imge'. Did you mean 'image'?")


@pytest.mark.parametrize("body", [[{"text": "hello"}], {"text": "hello"}])
def test_another_shape_is_answered_with_the_right_one(client: TestClient, body: object) -> None:
    message = client.post("/v1/score/batch", json=body).json()["error"]["message"]
    shown = message.partition("Send an object such as ")[2]
    assert client.post("/v1/score/batch", content=shown, headers={"content-type": "application/json"}).is_success


def test_an_answer_is_utf8_with_its_status_and_headers() -> None:
    answer = as_json({"text": "h\u00e9"}, 418, {"x-a": "b"})
    assert answer.body == '{"text":"h\u00e9"}'.encode()
    assert (answer.status_code, answer.media_type, answer.headers["x-a"]) == (418, "application/json", "b")
