"""Each request of a job is compared with AWS's own description of the service, and stays within what it takes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError
from pydantic import ValidationError
from tests.support.aws_models import operations, problems
from tests.unit.deploy.sagemaker.conftest import NOW, parameters

from crossguard.deploy.sagemaker import BatchTransform, TrainingJob
from crossguard.deploy.sagemaker.aws import Request
from crossguard.errors import DeployError


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
        ({"settings": {"lr_head": [date(2026, 1, 1)]}}, r"settings.lr_head .* date .* in quotes"),
        ({"settings": {"model_version": 1.10}}, r"settings.model_version \(1.1\) .* put it in quotes"),
        ({"settings": {"model_name": 5}}, r"settings.model_name \(5\) .* put it in quotes"),
    ],
)
def test_a_wrong_training_job_is_told_before_anything_is_sent(
    training_settings: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        TrainingJob(**{**training_settings, **changes})


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
    settings = gather({}, model, None)
    assert settings.max_posts == 1_000_000
    assert settings.request_timeout_s == job["ModelClientConfig"]["InvocationsTimeoutInSeconds"]
    assert settings.max_body_bytes >= 100 * 2**20
    assert settings.body_timeout_s == settings.request_timeout_s


def test_a_batch_transform_stays_within_what_sagemaker_sends(transform: BatchTransform) -> None:
    with pytest.raises(ValidationError, match="at most 100"):
        BatchTransform(**{**transform.model_dump(), "request_mb": 60})


class Transforms:
    """A SageMaker whose jobs end as told, unless the network is gone before; it plays session, client and waiter."""

    def __init__(self, status: str, problem: BotoCoreError | None = None) -> None:
        self._described = {"TransformJobStatus": status}
        self._problem = problem
        self.deleted: list[Any] = []

    def client(self, _: str) -> Any:
        return self

    def create_model(self, **_: Any) -> dict[str, Any]:
        return {}

    def create_transform_job(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_waiter(self, _: str) -> Any:
        return self

    def wait(self, **_: Any) -> None:
        if self._problem is not None:
            raise self._problem

    def describe_transform_job(self, **_: Any) -> dict[str, Any]:
        return self._described

    def delete_model(self, **parameters: Any) -> dict[str, Any]:
        self.deleted.append(parameters["ModelName"])
        return {}


def test_the_model_of_a_batch_transform_goes_when_the_job_has_ended(transform: BatchTransform) -> None:
    done, failed = Transforms("Completed"), Transforms("Failed")
    assert transform.run(done) == "s3://bucket/out/"
    with pytest.raises(DeployError, match="ended as Failed"):
        transform.run(failed)
    assert len(done.deleted) == len(failed.deleted) == 1


def test_the_model_of_a_batch_transform_stays_while_the_job_may_need_it(transform: BatchTransform) -> None:
    told: list[str] = []
    lost = Transforms("InProgress", EndpointConnectionError(endpoint_url="https://api.sagemaker.aws"))
    with pytest.raises(DeployError, match="After its end: aws sagemaker delete-model --model-name nightly-"):
        transform.run(lost, told.append)
    assert lost.deleted == []
    assert "describe-transform-job --transform-job-name nightly-" in told[0]
