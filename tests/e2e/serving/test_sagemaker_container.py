"""The service as SageMaker's container: over an unpacked archive, with the answers of AWS's own images."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.deploy.sagemaker.container import UNCAPPED
from crossguard.deploy.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn
from crossguard.deploy.sagemaker.package import package_model

REQUESTS = [
    (b'{"instances": [{"text": "hello", "id": 7}, {"image_base64": "AAAA"}, {"txt": "you"}]}', "application/json"),
    (b'{"text": "hello friends"}', "application/json; charset=utf-8"),
    (b'{"text": "hello"}\n\n{"text":\n{"text": "you", "id": "\\ud800"}\n', "application/x-jsonlines"),
]


@pytest.fixture(scope="module")
def model(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("opt") / "ml"
    packed = package_model(tiny_bundle, base.parent / "model.tar.gz")
    with tarfile.open(packed.path) as tar:
        tar.extractall(base / "model", filter="data")
    return base / "model"


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[httpx2.Client]:
    """A client of the container as a batch transform starts it."""
    with RunningServer(model, UNCAPPED["crossguard"]) as server, server.client() as client:
        yield client


@pytest.mark.parametrize(("body", "content_type"), REQUESTS)
def test_our_image_and_awss_images_answer_the_same(
    client: httpx2.Client, model: Path, body: bytes, content_type: str
) -> None:
    reply = client.post("/invocations", content=body, headers={"content-type": content_type})
    expected, kind = output_fn(predict_fn(input_fn(body, content_type), model_fn(str(model))), "*/*")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith(kind)
    assert [json.loads(line) for line in reply.text.split("\n")] == [json.loads(line) for line in expected.split("\n")]


def test_a_healthy_container_answers_its_ping(client: httpx2.Client) -> None:
    assert client.get("/ping").status_code == 200


def test_a_bad_image_is_a_client_error_with_its_reason(client: httpx2.Client) -> None:
    body = {"instances": [{"text": "hello", "image_base64": "AAAA"}]}
    reply = client.post("/invocations", json=body)
    assert reply.status_code == 422
    assert reply.json()["predictions"][0]["error"] == "image_not_an_image"


def test_a_request_of_a_batch_transform_may_hold_thousands_of_lines(client: httpx2.Client) -> None:
    count = 3000
    lines = [json.dumps({"text": f"hello {index}", "id": index}) for index in range(count)]
    lines[1234] = "{"
    headers = {"content-type": "application/jsonlines", "accept": "application/jsonlines"}
    reply = client.post("/invocations", content="\n".join(lines).encode(), headers=headers)
    answers = [json.loads(line) for line in reply.text.split("\n")]
    assert [answer["id"] for answer in answers] == [str(index) for index in range(count)]
    assert [index for index, answer in enumerate(answers) if "error" in answer] == [1234]
