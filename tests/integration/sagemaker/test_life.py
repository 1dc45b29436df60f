"""An endpoint's life, from creation to the last trace; `moto` plays AWS, and botocore's stubber where moto cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.stub import Stubber
from moto.sagemakerruntime.models import sagemakerruntime_backends
from tests.integration.sagemaker.conftest import ACCOUNT, OLD, REGION

from crossguard.deploy.sagemaker import (
    Asynchronous,
    Aws,
    BatchTransform,
    Call,
    Endpoint,
    Realtime,
    Step,
    TrainingJob,
    Wait,
    delete,
    invoke,
)
from crossguard.deploy.sagemaker.endpoint import describing, find
from crossguard.errors import DeployError
from crossguard.moderator import Moderator
from crossguard.wire.sagemaker import read, write

# Only some answers are read; the others need just the fields that the service's model requires.
ANSWERS: dict[str, dict[str, Any]] = {
    "CreateModel": {"ModelArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/hate"},
    "CreateEndpointConfig": {"EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/hate"},
    "CreateEndpoint": {"EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/hate"},
    "UpdateEndpoint": {"EndpointArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/hate"},
    "PutScalingPolicy": {"PolicyARN": "arn:aws:autoscaling:policy/tracking"},
}


def traces(aws: Aws) -> dict[str, int]:
    """How much AWS has of anything."""
    sagemaker = aws.client("sagemaker")
    targets = aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return {
        "models": len(sagemaker.list_models()["Models"]),
        "configurations": len(sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        "endpoints": len(sagemaker.list_endpoints()["Endpoints"]),
        "targets": len(targets["ScalableTargets"]),
        "alarms": len(aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
    }


@pytest.mark.parametrize(
    ("capacity", "targets", "alarms"),
    [
        (Realtime(instance_type=OLD), 0, 0),
        (Realtime(instance_type=OLD, max_instances=4), 1, 0),
        (Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", instance_type=OLD, max_instances=2), 1, 1),
    ],
    ids=["realtime", "scaled", "queue"],
)
def test_an_endpoint_comes_and_goes_without_a_trace(
    aws: Aws, endpoint: Endpoint, capacity: Realtime | Asynchronous, targets: int, alarms: int
) -> None:
    endpoint = endpoint.model_copy(update={"capacity": capacity})
    endpoint.deploy(aws)
    assert traces(aws) == {"models": 1, "configurations": 1, "endpoints": 1, "targets": targets, "alarms": alarms}
    running = find(aws, "hate")
    assert running is not None
    assert (running.status, running.managed) == ("InService", bool(targets))
    assert not [step for step in endpoint.deploy(aws) if isinstance(step, Call) and "sagemaker" in step.service]
    delete("hate", aws)
    assert set(traces(aws).values()) == {0}
    with pytest.raises(DeployError, match="no endpoint 'hate'"):
        delete("hate", aws)


def test_a_second_try_goes_on_where_the_first_one_ended(aws: Aws, endpoint: Endpoint) -> None:
    first, second, *_ = endpoint.steps()
    aws.run([first, second])
    endpoint.deploy(aws)
    assert traces(aws)["endpoints"] == 1


def test_posts_are_scored_by_name(aws: Aws, endpoint: Endpoint, tiny: Moderator) -> None:
    endpoint.deploy(aws)
    posts = [{"text": "hello", "id": "a"}, {"image_base64": "AAAA", "id": "b"}]
    invocation = read(json.dumps({"instances": posts}), "application/json")
    reply = write(invocation.form, list(tiny.stream(invocation.entries)))
    queue = sagemakerruntime_backends[ACCOUNT][REGION].results_queue
    queue.append((reply.body, reply.content_type, "AllTraffic", ""))
    good, bad = invoke("hate", posts, aws)
    assert good["probabilities"] == pytest.approx(tiny.score(text="hello").scores, abs=1e-5)
    assert bad["error"] == "image_not_an_image"


class Stubbed:
    """A session whose clients expect certain requests in a certain order, and check both against AWS's models."""

    def __init__(self, stack: ExitStack) -> None:
        self.clients: dict[str, Any] = {}
        self.stubs: dict[str, Stubber] = {}
        self.stack = stack

    def client(self, service_name: str) -> Any:
        if service_name not in self.clients:
            client = boto3.client(service_name, REGION, aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
            self.clients[service_name] = client
            self.stubs[service_name] = self.stack.enter_context(Stubber(client))
        return self.clients[service_name]

    def expect(self, steps: Iterable[Step], answer: Callable[[Step], dict[str, Any]]) -> None:
        for step in steps:
            self.client(step.service)
            operation = step.operation if isinstance(step, Call) else "DescribeEndpoint"
            self.stubs[step.service].add_response(xform_name(operation), answer(step), dict(step.parameters))

    def expect_questions(self, status: str) -> None:
        answers = [described("hate-old", status), configured("hate-old"), managed()]
        for question, answer in zip(describing("hate", "hate-old"), answers, strict=True):
            self.expect([question], always(answer))


def always(answer: dict[str, Any]) -> Callable[[Step], dict[str, Any]]:
    return lambda _: answer


def described(configuration: str, status: str = "InService") -> dict[str, Any]:
    return {
        "EndpointName": "hate",
        "EndpointArn": ANSWERS["CreateEndpoint"]["EndpointArn"],
        "EndpointConfigName": configuration,
        "EndpointStatus": status,
        "CreationTime": "2026-11-22T13:30:00Z",
        "LastModifiedTime": "2026-11-22T13:30:00Z",
        **({"FailureReason": "The container did not pass the ping health check."} if status == "Failed" else {}),
    }


def configured(configuration: str) -> dict[str, Any]:
    return {
        "EndpointConfigName": configuration,
        "EndpointConfigArn": ANSWERS["CreateEndpointConfig"]["EndpointConfigArn"],
        "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "hate-oldmodel"}],
        "CreationTime": "2026-11-22T13:30:00Z",
    }


def managed() -> dict[str, Any]:
    entry = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/hate/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 2,
        "RoleARN": "arn:aws:iam::123456789012:role/aws-service-role/sagemaker",
        "CreationTime": "2026-11-22T13:30:00Z",
    }
    return {"ScalableTargets": [entry]}


def test_an_update_frees_switches_scales_and_cleans_in_this_order(endpoint: Endpoint) -> None:
    endpoint = endpoint.model_copy(update={"capacity": Realtime(instances=1, max_instances=3)})
    with ExitStack() as stack:
        session = Stubbed(stack)
        session.expect_questions("InService")
        expected = endpoint.steps(find(Aws(session), "hate"))
        session.expect_questions("InService")
        session.expect(
            expected, lambda step: ANSWERS.get(step.operation, {}) if isinstance(step, Call) else described("new")
        )
        assert endpoint.deploy(Aws(session)) == expected
        for stub in session.stubs.values():
            stub.assert_no_pending_responses()
    assert [step.operation if isinstance(step, Call) else step.waiter for step in expected] == [
        "CreateModel",
        "CreateEndpointConfig",
        "DeregisterScalableTarget",
        "DeleteAlarms",
        "UpdateEndpoint",
        "endpoint_in_service",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "DeleteEndpointConfig",
        "DeleteModel",
    ]


def test_a_container_that_does_not_come_up_is_told_with_awss_reason(endpoint: Endpoint) -> None:
    with ExitStack() as stack:
        session = Stubbed(stack)
        session.client("sagemaker")
        missing = session.stubs["sagemaker"]
        missing.add_client_error("describe_endpoint", "ValidationException", 'Could not find endpoint "hate".')
        session.expect(
            endpoint.steps(),
            lambda step: ANSWERS[step.operation] if isinstance(step, Call) else described("new", "Failed"),
        )
        with pytest.raises(DeployError, match="did not pass the ping health check"):
            endpoint.deploy(Aws(session))


def test_an_endpoint_that_is_not_in_service_is_left_alone(endpoint: Endpoint) -> None:
    with ExitStack() as stack:
        session = Stubbed(stack)
        session.expect_questions("Failed")
        with pytest.raises(DeployError, match=r"is Failed.*crossguard deploy sagemaker delete hate"):
            endpoint.deploy(Aws(session))


def test_a_refusal_names_the_request_and_the_reason(aws: Aws) -> None:
    with pytest.raises(DeployError, match=r"refused DeleteModel.*Could not find model"):
        aws.run([Call("sagemaker", "DeleteModel", {"ModelName": "none"})])


def test_without_a_region_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DeployError, match="aws configure"):
        Aws().client("sagemaker")


def test_a_batch_transform_runs_and_leaves_no_model(aws: Aws, endpoint: Endpoint) -> None:
    job = BatchTransform(
        name="nightly", container=endpoint.container, input="s3://bucket/in/", output="s3://bucket/out/"
    )
    job.run(aws)
    (entry,) = aws.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    assert entry["TransformJobName"].startswith("nightly-2")
    assert entry["TransformJobStatus"] == "Completed"
    assert traces(aws)["models"] == 0


def training_job(endpoint: Endpoint) -> TrainingJob:
    return TrainingJob(
        name="clip-fusion",
        role=endpoint.container.role,
        image=endpoint.container.image,
        recipe="clip-fusion",
        channels={"train": "s3://bucket/mmhs/"},
        output="s3://bucket/models/",
    )


def test_a_training_job_gives_the_place_of_its_bundle(aws: Aws, endpoint: Endpoint) -> None:
    place = training_job(endpoint).run(aws)
    (entry,) = aws.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert place == f"s3://bucket/models/{entry['TrainingJobName']}/output/model.tar.gz"


def test_a_stopped_training_job_is_no_success(endpoint: Endpoint) -> None:
    job = training_job(endpoint)
    answer = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"}

    class Over(Aws):
        def run(self, steps: Iterable[Step]) -> list[dict[str, Any]]:
            return [answer for step in steps if not isinstance(step, Wait)]

    with pytest.raises(DeployError, match=r"Stopped.*MaxWaitTimeExceeded"):
        job.run(Over())
