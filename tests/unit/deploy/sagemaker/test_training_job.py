"""Each request of a job is compared with AWS's own description of the service."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.aws_models import operations, problems
from tests.unit.deploy.sagemaker.conftest import NOW, parameters

from crossguard.deploy.sagemaker import BatchTransform, TrainingJob
from crossguard.deploy.sagemaker.aws import Request


def test_every_request_of_the_jobs_is_one_that_aws_describes(transform: BatchTransform, training: TrainingJob) -> None:
    assert problems([*transform.requests(), *training.requests()]) == []


def test_the_comparison_can_fail() -> None:
    wrong = Request(
        "CreateEndpoint",
        {"EndpointName": "a_b", "EndpointConfig": "x", "Tags": [{"Key": "k" * 200, "Value": 1}]},
    )
    assert len(problems([wrong])) == 5
    assert "CreateEndpoint" in operations("sagemaker")


def test_a_spot_job_resumes_from_its_checkpoints(training: TrainingJob) -> None:
    job = parameters(training.requests(NOW), "CreateTrainingJob")
    assert job["CheckpointConfig"] == {"S3Uri": "s3://bucket/checkpoints/run-1/", "LocalPath": "/opt/ml/checkpoints"}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 36_000, "MaxWaitTimeInSeconds": 72_000}
    assert job["HyperParameters"] == {"recipe": '"clip-fusion"', "lr_head": "0.0003", "freeze_text": "true"}
    entrypoint = job["AlgorithmSpecification"]["ContainerEntrypoint"]
    assert entrypoint == ["python", "-m", "crossguard.deploy.sagemaker.train"]


def test_awss_own_training_image_runs_our_source(training_settings: dict[str, Any]) -> None:
    job = TrainingJob(
        **{**training_settings, "image_kind": "pytorch", "source": "s3://bucket/source.tar.gz", "spot": False}
    )
    requests = job.requests()
    assert problems(requests) == []
    created = parameters(requests, "CreateTrainingJob")
    assert created["HyperParameters"]["sagemaker_program"] == '"train.py"'
    assert created["HyperParameters"]["sagemaker_submit_directory"] == '"s3://bucket/source.tar.gz"'
    assert "ContainerEntrypoint" not in created["AlgorithmSpecification"]
    assert "MaxWaitTimeInSeconds" not in created["StoppingCondition"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checkpoints": None}, "spot needs checkpoints"),
        ({"image_kind": "pytorch"}, "source is needed"),
        ({"source": "s3://bucket/source.tar.gz"}, "source is needed"),
        ({"wait_hours": 1}, "must not be below hours"),
        ({"channels": {}}, "at least 1"),
        ({"name": "clip_fusion"}, "pattern"),
        ({"name": "a" * 48}, "at most 47"),
        ({"output": "bucket/models"}, "pattern"),
        ({"role": "crossguard"}, "pattern"),
    ],
)
def test_a_wrong_training_job_is_told_before_anything_is_sent(
    training_settings: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        TrainingJob(**{**training_settings, **changes})
