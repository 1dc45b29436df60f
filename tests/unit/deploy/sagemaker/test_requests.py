"""Each request is compared with AWS's own description of the service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.botocore_model import operations, problems, waiters
from tests.unit.deploy.sagemaker.conftest import IMAGE, NOW, ROLE

from crossguard.deploy.sagemaker import (
    Asynchronous,
    BatchTransform,
    Call,
    Container,
    Endpoint,
    Realtime,
    Serverless,
    Step,
    TrainingJob,
    Wait,
    check,
    to_json,
)
from crossguard.deploy.sagemaker.endpoint import Running, describing
from crossguard.errors import ConfigError

CAPACITIES = [
    Realtime(),
    Realtime(instance_type="ml.g5.xlarge", instances=2, max_instances=8, invocations_per_minute=1200),
    Serverless(),
    Serverless(memory_mb=6144, max_concurrency=50, provisioned_concurrency=2),
    Asynchronous(input="s3://bucket/requests/", output="s3://bucket/answers/"),
    Asynchronous(
        input="s3://bucket/requests/",
        output="s3://bucket/answers/",
        failures="s3://bucket/failures/",
        success_topic="arn:aws:sns:eu-central-1:123456789012:done",
        error_topic="arn:aws:sns:eu-central-1:123456789012:failed",
        instances=1,
        max_instances=3,
    ),
]
CONTAINERS = [
    Container(image=IMAGE, model_data="s3://bucket/models/model.tar.gz", role=ROLE),
    Container(
        image="763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        model_data="s3://bucket/model.tar.gz",
        role=ROLE,
        image_kind="pytorch",
        policy="benchmark",
        environment={"CROSSGUARD_THREADS": "2"},
        subnets=("subnet-0a1b2c3d",),
        security_groups=("sg-0a1b2c3d",),
        tags={"team": "trust and safety"},
    ),
]


def parameters(steps: list[Step], operation: str) -> Any:
    (found,) = [step.parameters for step in steps if isinstance(step, Call) and step.operation == operation]
    return found


@pytest.mark.parametrize("container", CONTAINERS, ids=["crossguard", "pytorch"])
@pytest.mark.parametrize("capacity", CAPACITIES, ids=lambda capacity: str(capacity.kind))
def test_every_request_of_an_endpoint_is_one_that_aws_describes(
    container: Container, capacity: Realtime | Serverless | Asynchronous
) -> None:
    endpoint = Endpoint(name="hate-2026", container=container, capacity=capacity)
    running = Running("hate-2026", "InService", "hate-2026-old", ("hate-2026-model",), managed=True)
    steps = [*endpoint.steps(), *endpoint.steps(running), *running.steps_to_delete(), *describing("hate-2026", "c")]
    check(steps)
    assert problems(steps) == []
    assert {step.waiter for step in steps if isinstance(step, Wait)} <= waiters("sagemaker")


def test_every_request_of_the_jobs_is_one_that_aws_describes(transform: BatchTransform, training: TrainingJob) -> None:
    steps = [*transform.steps(), *training.steps()]
    check(steps)
    assert problems(steps) == []
    assert {step.waiter for step in steps if isinstance(step, Wait)} <= waiters("sagemaker")


def test_the_comparison_can_fail() -> None:
    wrong = Call(
        "sagemaker",
        "CreateEndpoint",
        {"EndpointName": "a_b", "EndpointConfig": "x", "Tags": [{"Key": "k" * 200, "Value": 1}]},
    )
    assert len(problems([wrong])) == 5
    with pytest.raises(ConfigError, match="EndpointConfigName"):
        check([wrong])
    assert "CreateEndpoint" in operations("sagemaker")


def test_a_dry_run_prints_exactly_what_is_sent(endpoint: Endpoint) -> None:
    printed = json.loads(to_json(endpoint.steps()))
    assert [entry.get("operation") or entry["wait"] for entry in printed] == [
        "CreateModel",
        "CreateEndpointConfig",
        "CreateEndpoint",
        "endpoint_in_service",
    ]
    model = printed[0]["parameters"]
    assert model["PrimaryContainer"] == {
        "Image": IMAGE,
        "ModelDataUrl": "s3://bucket/models/model.tar.gz",
        "Environment": {
            "CROSSGUARD_HOST": "0.0.0.0",  # noqa: S104 - in a container
            "CROSSGUARD_INSECURE": "true",
            "CROSSGUARD_MODEL": "/opt/ml/model",
            "CROSSGUARD_POLICY": "default",
        },
    }
    assert model["EnableNetworkIsolation"] is True
    assert printed[2]["parameters"]["EndpointConfigName"] == printed[1]["parameters"]["EndpointConfigName"]
    assert printed[1]["parameters"]["ProductionVariants"][0]["ModelName"] == model["ModelName"]


def test_names_change_with_what_is_deployed_and_only_then(endpoint: Endpoint, container: Container) -> None:
    again = Endpoint(name="hate", container=container.model_copy())
    assert to_json(again.steps()) == to_json(endpoint.steps())
    other = Endpoint(name="hate", container=container.model_copy(update={"policy": "benchmark"}))
    assert (
        parameters(other.steps(), "CreateModel")["ModelName"]
        != parameters(endpoint.steps(), "CreateModel")["ModelName"]
    )
    bigger = Endpoint(name="hate", container=container, capacity=Realtime(instances=2))
    assert parameters(bigger.steps(), "CreateModel") == parameters(endpoint.steps(), "CreateModel")
    assert parameters(bigger.steps(), "CreateEndpoint") != parameters(endpoint.steps(), "CreateEndpoint")


def test_serverless_has_neither_isolation_nor_network(container: Container) -> None:
    attached = container.model_copy(update={"subnets": ("subnet-1",), "security_groups": ("sg-1",)})
    steps = Endpoint(name="hate", container=attached, capacity=Serverless()).steps()
    model = parameters(steps, "CreateModel")
    assert model["EnableNetworkIsolation"] is False
    assert "VpcConfig" not in model
    assert "VpcConfig" in parameters(Endpoint(name="hate", container=attached).steps(), "CreateModel")


def test_scaling_follows_load_or_queue(container: Container) -> None:
    by_load = Endpoint(name="hate", container=container, capacity=Realtime(instances=2, max_instances=4)).steps()
    target = parameters(by_load, "RegisterScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert target["ResourceId"] == "endpoint/hate/variant/AllTraffic"
    queue = Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", max_instances=2)
    by_queue = Endpoint(name="hate", container=container, capacity=queue).steps()
    alarm = json.loads(to_json(by_queue))[-1]
    assert alarm["operation"] == "PutMetricAlarm"
    assert alarm["parameters"]["AlarmActions"] == ["<PolicyARN of the reply to PutScalingPolicy>"]


def test_an_update_keeps_a_model_that_is_still_used(endpoint: Endpoint) -> None:
    model = parameters(endpoint.steps(), "CreateModel")["ModelName"]
    running = Running("hate", "InService", "hate-old", (model,), managed=False)
    deleted = [s.operation for s in endpoint.steps(running) if isinstance(s, Call) and s.operation.startswith("Delete")]
    assert deleted == ["DeleteEndpointConfig"]


def test_what_is_as_described_is_left_alone(endpoint: Endpoint) -> None:
    name = parameters(endpoint.steps(), "CreateEndpointConfig")["EndpointConfigName"]
    assert endpoint.steps(Running("hate", "InService", name, ("m",), managed=False)) == []


def test_a_batch_transform_keeps_one_line_per_line(transform: BatchTransform) -> None:
    job = parameters(transform.steps(NOW), "CreateTransformJob")
    assert job["TransformJobName"] == "nightly-20261122-133000"
    assert job["TransformInput"]["SplitType"] == "Line"
    assert job["TransformOutput"] == {
        "S3OutputPath": "s3://bucket/out/",
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    }
    assert "DataProcessing" not in job
    joined = transform.model_copy(update={"join": True})
    assert parameters(joined.steps(NOW), "CreateTransformJob")["DataProcessing"] == {"JoinSource": "Input"}


def test_the_environment_of_a_batch_transform_is_one_that_the_service_takes(transform: BatchTransform) -> None:
    from crossguard.serving.settings import gather

    job = parameters(transform.steps(), "CreateTransformJob")
    model = parameters(transform.steps(), "CreateModel")["PrimaryContainer"]["Environment"]
    settings = gather({}, {**model, **job["Environment"]}, None)
    assert settings.max_posts == 1_000_000
    assert settings.request_timeout_s == job["ModelClientConfig"]["InvocationsTimeoutInSeconds"]
    assert settings.max_body_bytes > transform.request_mb * 2**20


def test_a_spot_job_resumes_from_its_checkpoints(training: TrainingJob) -> None:
    job = parameters(training.steps(NOW), "CreateTrainingJob")
    assert job["CheckpointConfig"] == {"S3Uri": "s3://bucket/checkpoints/run-1/", "LocalPath": "/opt/ml/checkpoints"}
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 36_000, "MaxWaitTimeInSeconds": 72_000}
    assert job["HyperParameters"] == {"recipe": '"clip-fusion"', "lr_head": "0.0003", "freeze_text": "true"}
    entrypoint = job["AlgorithmSpecification"]["ContainerEntrypoint"]
    assert entrypoint == ["python", "-m", "crossguard.deploy.sagemaker.train"]


def test_awss_own_training_image_runs_our_source(training_settings: dict[str, Any]) -> None:
    job = TrainingJob(
        **{**training_settings, "image_kind": "pytorch", "source": "s3://bucket/source.tar.gz", "spot": False}
    )
    steps = job.steps()
    assert problems(steps) == []
    created = parameters(steps, "CreateTrainingJob")
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


def test_wrong_capacities_are_told() -> None:
    with pytest.raises(ValidationError, match="must not be below instances"):
        Realtime(instances=3, max_instances=2)
    with pytest.raises(ValidationError, match="must not be below instances"):
        Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", instances=3, max_instances=2)
    with pytest.raises(ValidationError, match="memory_mb"):
        Serverless(memory_mb=1000)  # type: ignore[arg-type]  # the mistake under test


def test_a_batch_transform_stays_within_what_sagemaker_sends(transform: BatchTransform) -> None:
    with pytest.raises(ValidationError, match="at most 100"):
        BatchTransform(**{**transform.model_dump(), "request_mb": 60})
