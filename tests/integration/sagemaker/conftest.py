from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from crossguard.deploy.sagemaker import Container, Endpoint, Realtime

REGION = "eu-central-1"
ACCOUNT = "123456789012"
# moto's list of instance types ends years ago; botocore's does not (see the unit tests).
OLD = "ml.c5.large"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS inside this process."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


@pytest.fixture
def endpoint() -> Endpoint:
    container = Container(
        image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/crossguard:1.0",
        model_data="s3://bucket/model.tar.gz",
        role=f"arn:aws:iam::{ACCOUNT}:role/crossguard",
    )
    return Endpoint(name="hate", container=container, capacity=Realtime(instance_type=OLD))
