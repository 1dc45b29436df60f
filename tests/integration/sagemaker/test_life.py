"""An endpoint's life, from creation to the last trace; `moto` plays AWS, and botocore's stubber where moto cannot."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto.sagemakerruntime.models import sagemakerruntime_backends
from tests.integration.sagemaker.conftest import ACCOUNT, OLD, REGION

from crossguard.deploy.sagemaker import (
    Asynchronous,
    BatchTransform,
    Endpoint,
    Realtime,
    TrainingJob,
    delete,
    invoke,
)
from crossguard.deploy.sagemaker.aws import Request, client, run_job, send
from crossguard.deploy.sagemaker.template import unscaled
from crossguard.errors import DeployError
from crossguard.moderator import Moderator
from crossguard.wire.sagemaker import read, write

STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/hate/0a1b"


def traces() -> dict[str, int]:
    """How much AWS has of anything."""
    sagemaker = client("sagemaker")
    return {
        "models": len(sagemaker.list_models()["Models"]),
        "configurations": len(sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        "endpoints": len(sagemaker.list_endpoints()["Endpoints"]),
        "stacks": len(client("cloudformation").describe_stacks()["Stacks"]),
    }


# What moto does not know, it leaves out; `test_template.py` holds these resources against AWS's schemas.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
@pytest.mark.parametrize(
    "capacity",
    [
        Realtime(instance_type=OLD),
        Realtime(instance_type=OLD, max_instances=4),
        Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", instance_type=OLD, max_instances=2),
    ],
    ids=["realtime", "scaled", "queue"],
)
def test_an_endpoint_comes_and_goes_without_a_trace(
    aws: None, endpoint: Endpoint, capacity: Realtime | Asynchronous
) -> None:
    endpoint = endpoint.model_copy(update={"capacity": capacity})
    assert endpoint.deploy() == "created"
    assert traces() == {"models": 1, "configurations": 1, "endpoints": 1, "stacks": 1}
    (entry,) = client("sagemaker").list_endpoints()["Endpoints"]  # moto gives it a name of its own
    assert entry["EndpointStatus"] == "InService"
    assert endpoint.deploy() == "unchanged"
    delete("hate")
    assert set(traces().values()) == {0}
    with pytest.raises(DeployError, match="no endpoint 'hate'"):
        delete("hate")


def test_posts_are_scored_by_name(aws: None, endpoint: Endpoint, tiny: Moderator) -> None:
    endpoint.deploy()
    posts = [{"text": "hello", "id": "a"}, {"image_base64": "AAAA", "id": "b"}]
    invocation = read(json.dumps({"instances": posts}), "application/json")
    reply = write(invocation.form, list(tiny.stream(invocation.posts)))
    queue = sagemakerruntime_backends[ACCOUNT][REGION].results_queue
    queue.append((reply.body, reply.content_type, "AllTraffic", ""))
    good, bad = invoke("hate", posts)
    assert good["probabilities"] == pytest.approx(tiny.score(text="hello").scores, abs=1e-5)
    assert bad["error"] == "image_not_an_image"


class Stubbed:
    """A session whose CloudFormation expects certain requests in a certain order, checked against AWS's model."""

    def __init__(self) -> None:
        self.formation = boto3.client("cloudformation", REGION, aws_access_key_id="a", aws_secret_access_key="b")  # noqa: S106
        self.stub = Stubber(self.formation)
        self.stub.activate()

    def client(self, service_name: str) -> Any:
        assert service_name == "cloudformation"
        return self.formation

    def expect_stack(self, status: str | None) -> None:
        if status is None:
            self.stub.add_client_error("describe_stacks", "ValidationError", "Stack with id hate does not exist")
        else:
            self.stub.add_response("describe_stacks", stacks(status))

    def expect_change(self, verb: str, body: dict[str, Any], *, ends: str, options: dict[str, str]) -> None:
        parameters = {"StackName": "hate", "TemplateBody": json.dumps(body), **options}
        self.stub.add_response(f"{verb}_stack", {"StackId": STACK}, parameters)
        for _ in ("by the waiter", "by us"):
            self.stub.add_response("describe_stacks", stacks(ends), {"StackName": STACK})


def stacks(status: str) -> dict[str, Any]:
    entry = {"StackName": "hate", "StackId": STACK, "StackStatus": status, "CreationTime": "2026-11-25T13:30:00Z"}
    return {"Stacks": [entry]}


def test_another_instance_type_of_a_scaled_endpoint_is_an_update_without_and_one_with_scaling(
    endpoint: Endpoint,
) -> None:
    before = endpoint.model_copy(update={"capacity": Realtime(max_instances=3)}).template()
    after = endpoint.model_copy(update={"capacity": Realtime(max_instances=3, instance_type="ml.g5.xlarge")})
    session = Stubbed()
    session.expect_stack("UPDATE_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": json.dumps(before)}, {"StackName": "hate"})
    session.expect_change("update", unscaled(before), ends="UPDATE_COMPLETE", options={})
    session.expect_change("update", after.template(), ends="UPDATE_COMPLETE", options={})
    assert after.deploy(session) == "updated"
    session.stub.assert_no_pending_responses()


def test_a_container_that_does_not_come_up_is_told_with_awss_reason(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack(None)
    session.expect_change("create", endpoint.template(), ends="DELETE_COMPLETE", options={"OnFailure": "DELETE"})
    events = [
        {"ResourceStatus": "DELETE_COMPLETE"},
        {"ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "Resource creation cancelled"},
        {"ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "It did not pass the ping health check."},
    ]
    identified = [
        {**event, "StackId": STACK, "StackName": "hate", "EventId": str(place), "Timestamp": "2026-11-25T13:30:00Z"}
        for place, event in enumerate(events)
    ]
    session.stub.add_response("describe_stack_events", {"StackEvents": identified}, {"StackName": ANY})
    with pytest.raises(DeployError, match=r"DELETE_COMPLETE.*did not pass the ping health check"):
        endpoint.deploy(session)


def test_an_endpoint_that_is_not_in_service_is_left_alone(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack("UPDATE_IN_PROGRESS")
    with pytest.raises(DeployError, match=r"is UPDATE_IN_PROGRESS.*crossguard deploy sagemaker delete hate"):
        endpoint.deploy(session)


def test_a_refusal_names_the_request_and_the_reason(aws: None) -> None:
    with pytest.raises(DeployError, match=r"refused DeleteModel.*Could not find model"):
        send(client("sagemaker"), Request("DeleteModel", {"ModelName": "none"}))


def test_without_a_region_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DeployError, match="aws configure"):
        client("sagemaker")


def test_a_batch_transform_runs_and_leaves_no_model(aws: None, endpoint: Endpoint) -> None:
    job = BatchTransform(
        name="nightly", container=endpoint.container, input="s3://bucket/in/", output="s3://bucket/out/"
    )
    assert job.run() == "s3://bucket/out/"
    (entry,) = client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    assert entry["TransformJobName"].startswith("nightly-2")
    assert entry["TransformJobStatus"] == "Completed"
    assert traces()["models"] == 0


def training_job(endpoint: Endpoint) -> TrainingJob:
    return TrainingJob(
        name="clip-fusion",
        role=endpoint.container.role,
        image=endpoint.container.image,
        recipe="clip-fusion",
        channels={"train": "s3://bucket/mmhs/"},
        output="s3://bucket/models/",
    )


def test_a_training_job_tells_where_its_bundle_is(aws: None, endpoint: Endpoint) -> None:
    archive = training_job(endpoint).run()
    (entry,) = client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert archive == f"s3://bucket/models/{entry['TrainingJobName']}/output/model.tar.gz"


def test_a_stopped_training_job_is_no_success(endpoint: Endpoint) -> None:
    class Stopped:
        """A SageMaker whose jobs are stopped by their time limit."""

        def create_training_job(self, **_: object) -> dict[str, Any]:
            return {}

        def get_waiter(self, _: str) -> Any:
            return self

        def wait(self, **_: object) -> None:
            return None

        def describe_training_job(self, **_: object) -> dict[str, Any]:
            return {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"}

    (create,) = training_job(endpoint).requests()
    with pytest.raises(DeployError, match=r"Stopped.*MaxWaitTimeExceeded"):
        run_job(Stopped(), create, "TrainingJob", minutes=1)
