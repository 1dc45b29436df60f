"""The deployment snippet of the model cards, run by the real `sagemaker` SDK against an AWS on this machine.

The SDK brings hundreds of packages and old pins, so it has an environment of its own:

    python -m venv sdk && sdk/bin/pip install 'sagemaker<3' 'moto[server,s3,sagemaker]'
    CROSSGUARD_SAGEMAKER_SDK=sdk/bin/python pytest tests/e2e/test_card_snippet.py

`moto` plays SageMaker and S3. What it cannot play, a container, is AWS's own toolkit: it gets the archive and the
variables that the SDK registered, so whatever the SDK did to them on the way counts.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from PIL import Image
from tests.integration.sagemaker.test_toolkit import Container, container_of
from tests.support.site import running_site

from crossguard.bundle import Bundle
from crossguard.deploy.sagemaker.package import package_model, write_code
from crossguard.moderator import Moderator

SDK = os.environ.get("CROSSGUARD_SAGEMAKER_SDK", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SDK, reason="CROSSGUARD_SAGEMAKER_SDK does not name a Python that has the sagemaker SDK"),
]

# As the cards print it, but for what cannot work today: Python 3.10 has ended, and the two imported serialisers are
# given to `deploy`, as the SDK would send a pickled array without them.
SNIPPET = """
role = "arn:aws:iam::123456789012:role/crossguard"

from sagemaker.pytorch import PyTorchModel
from sagemaker.serializers import JSONSerializer
from sagemaker.deserializers import JSONDeserializer

model = PyTorchModel(
    model_data="s3://your-bucket/model.tar.gz",
    role=role,
    entry_point='inference.py',
    source_dir='sagemaker',
    framework_version='2.6.0',
    py_version='py312',
)

predictor = model.deploy(
    instance_type='ml.g4dn.xlarge',
    initial_instance_count=1,
    serializer=JSONSerializer(),
    deserializer=JSONDeserializer(),
)

# Make prediction
import base64
with open('image.jpg', 'rb') as f:
    image_b64 = base64.b64encode(f.read()).decode('utf-8')

response = predictor.predict({
    'instances': [{
        'text': 'Sample text content',
        'image_base64': image_b64,
    }]
})

import json
print(json.dumps(response))
"""

# Without a bucket of its own the SDK asks the real AWS for the number of the account.
SETTINGS = """
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session: {DefaultS3Bucket: your-bucket}
"""


class Cloud:
    """moto's server, and one address that answers what an endpoint's container would."""

    def __init__(self, address: str, folder: Path) -> None:
        self.environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
            "SAGEMAKER_USER_CONFIG_OVERRIDE": str(folder / "settings.yaml"),
        }
        self.address = address
        self.folder = folder
        self._container: Container | None = None

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return boto3.client(service, "us-east-1", endpoint_url=self.address, **keys)

    def container(self) -> Container:
        """Starts the one container that was deployed, as SageMaker does: archive to /opt/ml/model, variables set."""
        if self._container is None:
            (model,) = self.client("sagemaker").list_models()["Models"]
            described = self.client("sagemaker").describe_model(ModelName=model["ModelName"])["PrimaryContainer"]
            bucket, _, key = described["ModelDataUrl"].removeprefix("s3://").partition("/")
            packed = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
                tar.extractall(self.folder / "ml" / "model", filter="data")
            self._container = container_of(self.folder / "ml", described["Environment"])
        return self._container

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()


def front(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Front(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            accept = self.headers.get("X-Amzn-SageMaker-Accept") or self.headers.get("Accept") or "*/*"
            status, kind, reply = cloud.container().ask(body, self.headers["Content-Type"], accept)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply.encode())

    return Front


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    port = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    number = port.server_port
    port.server_close()
    command = [SDK, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(number)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            cloud = Cloud(f"http://127.0.0.1:{number}", tmp_path)
            wait_for(cloud.address)
            with running_site(front(cloud)) as address:
                cloud.environment["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] = address
                yield cloud
            cloud.stop()
        finally:
            process.terminate()


def wait_for(address: str) -> None:
    for _ in range(120):
        try:
            httpx2.get(f"{address}/moto-api/", trust_env=False, verify=False)
        except httpx2.TransportError:
            time.sleep(0.5)
        else:
            return
    pytest.fail("moto's server did not start")


def test_the_snippet_of_the_cards_deploys_and_predicts(
    cloud: Cloud, tiny_bundle: Bundle, tiny: Moderator, tmp_path: Path
) -> None:
    packed = package_model(tiny_bundle, tmp_path / "model.tar.gz")
    cloud.client("s3").create_bucket(Bucket="your-bucket")
    cloud.client("s3").upload_file(str(packed.path), "your-bucket", "model.tar.gz")
    write_code(tmp_path / "sagemaker")
    Image.effect_mandelbrot((64, 48), (-3, -2.5, 2, 2.5), 50).convert("RGB").save(tmp_path / "image.jpg")
    (tmp_path / "snippet.py").write_text(SNIPPET)
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    done = subprocess.run(
        [SDK, "snippet.py"],
        cwd=tmp_path,
        env={**os.environ, **cloud.environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    # The SDK draws a line of dashes while it waits, and does not end it.
    (prediction,) = json.loads(done.stdout[done.stdout.rindex('{"predictions"') :])["predictions"]
    expected = tiny.score(text="Sample text content", image=tmp_path / "image.jpg")
    assert prediction["probabilities"] == pytest.approx(expected.scores, abs=1e-5)
    assert prediction["class_predictions"] == expected.to_card()["predictions"]
    described = cloud.client("sagemaker").list_endpoints()["Endpoints"]
    assert [endpoint["EndpointStatus"] for endpoint in described] == ["InService"]
