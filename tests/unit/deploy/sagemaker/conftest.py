from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crossguard.deploy.sagemaker import BatchTransform, Container, Endpoint, TrainingJob
from crossguard.deploy.sagemaker.aws import Request

ROLE = "arn:aws:iam::123456789012:role/service-role/crossguard"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/crossguard:1.0"
NOW = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)


def parameters(requests: list[Request], operation: str) -> Any:
    (found,) = [request.parameters for request in requests if request.operation == operation]
    return found


@pytest.fixture
def container() -> Container:
    return Container(image=IMAGE, model_data="s3://bucket/models/model.tar.gz", role=ROLE)


@pytest.fixture
def endpoint(container: Container) -> Endpoint:
    return Endpoint(name="hate", container=container)


@pytest.fixture
def transform(container: Container) -> BatchTransform:
    return BatchTransform(name="nightly", container=container, input="s3://bucket/in/", output="s3://bucket/out/")


@pytest.fixture
def training_settings() -> dict[str, Any]:
    return {
        "name": "clip-fusion",
        "role": ROLE,
        "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/crossguard-train:1.0",
        "recipe": "clip-fusion",
        "settings": {"lr_head": 3e-4, "freeze_text": True},
        "channels": {"train": "s3://bucket/mmhs/"},
        "output": "s3://bucket/models/",
        "checkpoints": "s3://bucket/checkpoints/run-1/",
        "spot": True,
        "hours": 10,
    }


@pytest.fixture
def training(training_settings: dict[str, Any]) -> TrainingJob:
    return TrainingJob(**training_settings)
