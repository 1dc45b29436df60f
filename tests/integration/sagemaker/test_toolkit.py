"""AWS's own toolkit drives our handler, from an archive unpacked where a container would."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.support.pictures import encoded

from crossguard.bundle import Bundle
from crossguard.deploy.sagemaker.package import package_model
from crossguard.moderator import Moderator

DRIVER = Path(__file__).resolve().parents[2] / "support" / "sagemaker_toolkit.py"


class Container:
    """A process that holds the toolkit and the archive."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(
        self, body: bytes | str | dict[str, Any], content_type: str = "application/json", accept: str = "*/*"
    ) -> Any:
        """Returns status, content type and body of the reply."""
        raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
        request = {
            "headers": {"Content-Type": content_type, "Accept": accept},
            "body": base64.b64encode(raw).decode(),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        return reply["status"], reply["content_type"], reply["body"]

    def stop(self) -> None:
        """Ends the process; one that does not end well is a failure."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=120) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


def container_of(base: Path, told: dict[str, str]) -> Container:
    """Starts the toolkit over an archive unpacked to `base`/model, with the variables of the model."""
    code = str(base / "model" / "code")
    # SageMaker's own folder has another name here.
    told = {name: value.replace("/opt/ml", str(base)) for name, value in told.items()}
    environment = {**os.environ, **told, "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": code}
    command = [sys.executable, str(DRIVER), str(base / "model")]
    pipe = subprocess.PIPE
    return Container(subprocess.Popen(command, env=environment, cwd=base, stdin=pipe, stdout=pipe, text=True))


@pytest.fixture(scope="module")
def container(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    base = tmp_path_factory.mktemp("opt") / "ml"
    packed = package_model(tiny_bundle, base.parent / "model.tar.gz")
    with tarfile.open(packed.path) as tar:
        tar.extractall(base / "model", filter="data")
    running = container_of(
        base, {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    )
    yield running
    running.stop()


def picture() -> str:
    image = Image.effect_mandelbrot((64, 48), (-3, -2.5, 2, 2.5), 50).convert("RGB")
    return base64.b64encode(encoded(image, "PNG")).decode()


def test_the_request_of_the_cards_is_answered(container: Container, tiny: Moderator) -> None:
    body = {"instances": [{"text": "Sample text content", "image_base64": picture()}]}
    status, content_type, reply = container.ask(body)
    assert (status, content_type) == (200, "application/json")
    (prediction,) = json.loads(reply)["predictions"]
    expected = tiny.score(text="Sample text content", image=base64.b64decode(picture()))
    assert prediction["probabilities"] == pytest.approx(expected.scores, abs=1e-5)
    assert prediction["class_predictions"] == expected.to_card()["predictions"]
    assert prediction["any_harmful"] is bool(expected.flags)


def test_bytes_and_text_of_each_content_type_say_the_same(container: Container) -> None:
    """The toolkit hands over text for the first type, and bytes for the second."""
    plain = container.ask({"text": "hello friends"})
    assert container.ask({"text": "hello friends"}, "application/json; charset=utf-8") == plain
    lines = container.ask('{"text": "hello friends"}', "application/jsonlines", "application/jsonlines")
    assert json.loads(lines[2]) == json.loads(plain[2])


def test_lines_are_answered_line_by_line(container: Container) -> None:
    body = '{"text": "hello", "id": "a"}\n{"image_base64": "AAAA", "id": "b"}\n{"text": \n{"text": "good", "id": "d"}\n'
    status, content_type, reply = container.ask(body, "application/jsonlines")
    answers = [json.loads(line) for line in reply.split("\n")]
    assert (status, content_type) == (200, "application/jsonlines")
    assert [answer["id"] for answer in answers] == ["a", "b", "2", "d"]
    assert [answer.get("error") for answer in answers] == [None, "image_not_an_image", "line_malformed", None]


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "expected"),
    [
        ({"text": "hello", "image_base64": "AAAA"}, "application/json", "*/*", (422, "image_not_an_image")),
        (
            {"instances": [{"text": "hello", "image_base64": "!"}]},
            "application/json",
            "*/*",
            (422, "image_bad_data_url"),
        ),
        ({"image_url": "http://169.254.169.254/"}, "application/json", "*/*", (422, "image_url_not_allowed")),
        ({"image_url": "/etc/passwd"}, "application/json", "*/*", (422, "image_url_not_allowed")),
        ({"instances": []}, "application/json", "*/*", (400, "request_malformed")),
        ("{", "application/json; charset=utf-8", "*/*", (400, "request_malformed")),
        (b"\xff", "application/jsonlines ; charset=latin-1", "*/*", (415, "unsupported_media_type")),
        ("a,b", "text/csv", "*/*", (415, "unsupported_media_type")),
        ({"text": "hello"}, "application/json", "text/csv", (406, "not_acceptable")),
    ],
)
def test_what_cannot_be_scored_is_a_client_error_with_its_reason(
    container: Container, body: Any, content_type: str, accept: str, expected: tuple[int, str]
) -> None:
    seen, _, reply = container.ask(body, content_type, accept)
    assert seen == expected[0]
    assert f'"error": "{expected[1]}"' in reply.split("\n")[0]
    assert container.ask({"text": "hello"})[0] == 200, "the next request is served"
