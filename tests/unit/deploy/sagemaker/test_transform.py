"""Batch transforms: a line of output per line of input, within what SageMaker sends."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.unit.deploy.sagemaker.conftest import NOW, parameters

from crossguard.deploy.sagemaker import BatchTransform


def test_a_batch_transform_keeps_one_line_per_line(transform: BatchTransform) -> None:
    job = parameters(transform.requests(NOW), "CreateTransformJob")
    assert job["TransformJobName"] == "nightly-20261122-133000"
    assert job["TransformInput"]["SplitType"] == "Line"
    assert job["TransformOutput"] == {
        "S3OutputPath": "s3://bucket/out/",
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    }
    assert "DataProcessing" not in job
    joined = transform.model_copy(update={"join": True})
    assert parameters(joined.requests(NOW), "CreateTransformJob")["DataProcessing"] == {"JoinSource": "Input"}


def test_the_environment_of_a_batch_transform_is_one_that_the_service_takes(transform: BatchTransform) -> None:
    from crossguard.serving.settings import gather

    job = parameters(transform.requests(), "CreateTransformJob")
    model = parameters(transform.requests(), "CreateModel")["PrimaryContainer"]["Environment"]
    settings = gather({}, {**model, **job["Environment"]}, None)
    assert settings.max_posts == 1_000_000
    assert settings.request_timeout_s == job["ModelClientConfig"]["InvocationsTimeoutInSeconds"]
    assert settings.max_body_bytes >= 100 * 2**20
    assert settings.body_timeout_s == settings.request_timeout_s


def test_a_batch_transform_stays_within_what_sagemaker_sends(transform: BatchTransform) -> None:
    with pytest.raises(ValidationError, match="at most 100"):
        BatchTransform(**{**transform.model_dump(), "request_mb": 60})
