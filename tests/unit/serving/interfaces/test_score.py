"""Our own interface gives what the model gives offline, and says what is wrong with a post."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator
from crossguard.schema import DecisionRecord
from crossguard.serving.interfaces.score import ErrorBody, ResultsBody
from crossguard.serving.service import Service


def test_a_decision_equals_the_offline_one(client: TestClient, tiny: Moderator, red: bytes, red_url: str) -> None:
    answer = client.post("/v1/score", json={"id": "7", "text": "hello you", "image": red_url})
    assert answer.status_code == 200
    assert answer.json() == tiny.score(text="hello you", image=red, id="7").to_dict()
    assert DecisionRecord.model_validate(answer.json()).id == "7"


def test_bare_base64_is_a_picture_too(client: TestClient, red: bytes, red_url: str) -> None:
    bare = client.post("/v1/score", json={"image": base64.b64encode(red).decode()}).json()
    assert bare == client.post("/v1/score", json={"image": red_url}).json()


def test_a_post_with_two_pictures_gets_the_higher_score_of_each_label(
    client: TestClient, red_url: str, blue_url: str
) -> None:
    def scores(*images: str) -> dict[str, float]:
        answer = client.post("/v1/score", json={"text": "hello", "images": list(images)})
        return {name: label["score"] for name, label in answer.json()["labels"].items()}

    red, blue, both = scores(red_url), scores(blue_url), scores(red_url, blue_url)
    assert red != blue
    assert both == {name: max(red[name], blue[name]) for name in both}


def test_uploads_as_a_form(client: TestClient, red: bytes, red_url: str) -> None:
    uploaded = client.post("/v1/score", data={"text": "hello", "id": "f"}, files={"image": ("a.png", red)})
    assert uploaded.json() == client.post("/v1/score", json={"id": "f", "text": "hello", "image": red_url}).json()


def test_a_batch_keeps_order_and_skips_only_the_bad(client: TestClient, tiny: Moderator) -> None:
    posts = [{"id": str(n), "text": f"hello {n}"} for n in range(150)]
    posts[70] = {"id": "70", "image": "data:image/png;base64,AAAA"}
    results = client.post("/v1/score/batch", json={"posts": posts}).json()
    assert [entry["id"] for entry in results["results"]] == [str(n) for n in range(150)]
    assert [entry["id"] for entry in results["results"] if entry["status"] == "failed"] == ["70"]
    assert results["results"][70]["error"]["code"] == "image_not_an_image"
    assert len(ResultsBody.model_validate(results).results) == 150
    offline = tiny.score(text="hello 3", id="3")
    got = {name: label["score"] for name, label in results["results"][3]["labels"].items()}
    assert got == pytest.approx(offline.scores, abs=1e-5)


def test_posts_of_a_batch_without_an_id_have_their_position(client: TestClient) -> None:
    posts = [{"text": "hello"}, {"id": "post", "text": "hello"}, {"text": ""}, {"id": "", "text": "hello"}]
    results = client.post("/v1/score/batch", json={"posts": posts}).json()["results"]
    assert [entry["id"] for entry in results] == ["0", "post", "2", ""]


def test_null_is_absent_and_costs_no_batch(client: TestClient, red_url: str) -> None:
    bare = {"id": None, "text": None, "image": red_url, "images": None, "image_text": None}
    posts = [{"text": "hello"}, bare, {"text": None}, {"text": "hello", "image": None}]
    results = client.post("/v1/score/batch", json={"posts": posts}).json()["results"]
    assert [(entry["id"], entry["status"]) for entry in results] == [
        ("0", "scored"),
        ("1", "scored"),
        ("2", "failed"),
        ("3", "scored"),
    ]
    assert results[2]["error"]["code"] == "post_empty"
    assert client.post("/v1/score", json=bare).json() == client.post("/v1/score", json={"image": red_url}).json()


def test_a_form_of_many_pictures_is_a_batch(client: TestClient, red: bytes, blue: bytes) -> None:
    files = [("image", ("red.png", red)), ("image", ("blue.png", blue)), ("image", ("not.png", b"nothing"))]
    results = client.post("/v1/score/batch", files=files).json()["results"]
    assert [(entry["id"], entry["status"]) for entry in results] == [
        ("red.png", "scored"),
        ("blue.png", "scored"),
        ("not.png", "failed"),
    ]


def test_only_ids_that_callers_gave_are_those_of_a_review_console(
    service: Service, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[bool] = []
    review = SimpleNamespace(put=lambda *_, **how: named.append(how["named"]))
    monkeypatch.setattr(service, "review", review)
    client = client_of(service)
    client.post("/v1/score", data={"id": "7"}, files={"image": ("a.png", red)})
    client.post("/v1/score/batch", json={"posts": [{"text": "hello"}]})
    client.post("/v1/score/batch", files=[("image", ("blob", red))])
    assert named == [True, True, False], "names of files may recur"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "post_empty"),
        ({"text": "\u200b"}, 422, "post_empty"),
        ({"image": "data:image/png;base64,AAAA"}, 422, "image_not_an_image"),
        ({"image": "data:image/png;base64"}, 422, "image_bad_data_url"),
        ({"image": "!!"}, 422, "image_bad_data_url"),
        ({"text": None}, 422, "post_empty"),
        ({"txt": "hello"}, 400, "invalid_request"),
        ({"text": 5}, 400, "invalid_request"),
        ({"images": ["QUJD"] * 9}, 413, "too_many_images"),
        ([], 400, "invalid_request"),
    ],
)
def test_what_is_wrong_is_said(client: TestClient, body: object, status: int, code: str) -> None:
    answer = client.post("/v1/score", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    detail = ErrorBody.model_validate(answer.json()).error
    assert detail.request_id == answer.headers["x-request-id"]


@pytest.mark.parametrize("body", [[{"text": "hello"}], {"posts": [{"text": "hello"}]}])
def test_many_posts_are_sent_to_the_batch(client: TestClient, body: object) -> None:
    answer = client.post("/v1/score", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["message"].startswith("Many posts go to POST /v1/score/batch, as {'posts': [...]}")


def test_a_form_of_many_posts_says_that_it_takes_only_files(client: TestClient, red: bytes) -> None:
    answer = client.post("/v1/score/batch", files=[("image", ("red.png", red))], data={"text": "hello"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Unknown part 'text' of the form.")
    assert "Many posts with texts are sent as JSON." in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "code", "told"),
    [
        ("/v1/score", "too_many_images", "A post may have 2 images; one of these has at least 3."),
        ("/v1/score/batch", "too_many_posts", "A request may have 2 posts; this one has at least 3."),
    ],
)
def test_a_form_has_no_more_files_than_a_list(tiny: Moderator, red: bytes, path: str, code: str, told: str) -> None:
    few = client_of(service_of(tiny, max_images=2, max_posts=2))
    answer = few.post(path, files=[("image", ("red.png", red))] * 4)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, code)
    assert answer.json()["error"]["message"] == told


def test_a_path_of_the_server_is_never_read(client: TestClient, tiny_bundle_path: str) -> None:
    for path in ("/etc/hostname", "file:///etc/hostname", tiny_bundle_path):
        answer = client.post("/v1/score", json={"image": path})
        assert answer.json()["error"]["code"] in {
            "image_bad_data_url",
            "image_not_an_image",
            "image_url_not_allowed",
        }


@pytest.fixture
def tiny_bundle_path(tiny: Moderator) -> str:
    return str(tiny.bundle.folder / "bundle.json")
