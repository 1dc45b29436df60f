"""What is asked of CloudFormation for an endpoint, checked against AWS's model by botocore's stubber."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from pydantic import ValidationError
from tests.support.aws_models import lint_problems
from tests.unit.deploy.sagemaker.conftest import IMAGE, ROLE

from crossguard.deploy.sagemaker import Asynchronous, Container, Endpoint, Realtime, Serverless, delete
from crossguard.deploy.sagemaker.container import MAX_TOTAL_MB
from crossguard.deploy.sagemaker.endpoint import unscaled
from crossguard.errors import DeployError
from crossguard.serving.settings import gather

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


def test_a_name_is_one_that_cloudformation_takes() -> None:
    with pytest.raises(ValidationError, match="name"):
        Endpoint(name="2hate", container=CONTAINERS[0])


def properties(endpoint: Endpoint, resource: str) -> Any:
    return endpoint.template()["Resources"][resource]["Properties"]


@pytest.mark.parametrize("container", CONTAINERS, ids=["crossguard", "pytorch"])
@pytest.mark.parametrize("capacity", CAPACITIES, ids=lambda capacity: str(capacity.kind))
def test_every_template_is_one_that_aws_describes(
    container: Container, capacity: Realtime | Serverless | Asynchronous
) -> None:
    if isinstance(capacity, Serverless):
        container = container.model_copy(update={"subnets": (), "security_groups": ()})
    template = Endpoint(name="hate-2026", container=container, capacity=capacity).template()
    assert lint_problems(template) == []
    assert lint_problems(unscaled(template)) == []


def test_the_comparison_can_fail(endpoint: Endpoint) -> None:
    template = endpoint.template()
    template["Resources"]["Endpoint"]["Properties"]["EndpointConfig"] = "x"
    assert any("EndpointConfig" in problem for problem in lint_problems(template))


def test_the_container_is_told_what_to_serve(endpoint: Endpoint) -> None:
    model = properties(endpoint, "Model")
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
    (variant,) = properties(endpoint, "Configuration")["ProductionVariants"]
    assert variant["ModelName"] == {"Fn::GetAtt": ["Model", "ModelName"]}


def test_an_endpoint_with_a_queue_takes_the_bodies_that_others_refuse(container: Container) -> None:
    own = container.model_copy(update={"environment": {"CROSSGUARD_MAX_POSTS": "7"}})
    queued = Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/")
    told = properties(Endpoint(name="hate", container=own, capacity=queued), "Model")["PrimaryContainer"]["Environment"]
    settings = gather({}, told, None)
    assert settings.max_body_bytes == MAX_TOTAL_MB << 20
    assert settings.request_timeout_s == 3600
    assert settings.max_posts == 7, "what the operator says goes before"


def test_names_change_with_what_is_deployed_and_only_then(endpoint: Endpoint, container: Container) -> None:
    assert Endpoint(name="hate", container=container.model_copy()).template() == endpoint.template()
    other = Endpoint(name="hate", container=container.model_copy(update={"policy": "benchmark"}))
    assert properties(other, "Model")["ModelName"] != properties(endpoint, "Model")["ModelName"]
    name = "EndpointConfigName"
    assert properties(other, "Configuration")[name] != properties(endpoint, "Configuration")[name]
    bigger = Endpoint(name="hate", container=container, capacity=Realtime(instances=2))
    assert properties(bigger, "Model") == properties(endpoint, "Model")
    assert properties(bigger, "Configuration")[name] != properties(endpoint, "Configuration")[name]


def test_serverless_has_neither_isolation_nor_network(container: Container) -> None:
    model = properties(Endpoint(name="hate", container=container, capacity=Serverless()), "Model")
    assert model["EnableNetworkIsolation"] is False
    assert "VpcConfig" not in model
    attached = container.model_copy(update={"subnets": ("subnet-1",), "security_groups": ("sg-1",)})
    with pytest.raises(ValidationError, match="a serverless endpoint runs in no VPC"):
        Endpoint(name="hate", container=attached, capacity=Serverless())
    assert "VpcConfig" in properties(Endpoint(name="hate", container=attached), "Model")


def test_scaling_follows_load_or_queue(container: Container) -> None:
    by_load = Endpoint(name="hate", container=container, capacity=Realtime(instances=2, max_instances=4))
    target = properties(by_load, "Target")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert target["ResourceId"] == "endpoint/hate/variant/AllTraffic"
    queue = Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", max_instances=2)
    by_queue = Endpoint(name="hate", container=container, capacity=queue)
    assert properties(by_queue, "Backlog")["AlarmActions"] == [{"Ref": "Waking"}]
    assert not {"Target", "Backlog"} & set(unscaled(by_queue.template())["Resources"])


REGION = "eu-central-1"
STACK = f"arn:aws:cloudformation:{REGION}:123456789012:stack/hate/0a1b"


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

    def expect_change(self, verb: str, body: dict[str, Any], *, ends: str, **options: str) -> None:
        parameters = {"StackName": "hate", "TemplateBody": json.dumps(body), **options}
        self.stub.add_response(f"{verb}_stack", {"StackId": STACK}, parameters)
        for _ in ("by the waiter", "by us"):
            self.stub.add_response("describe_stacks", stacks(ends), {"StackName": STACK})


def stacks(status: str) -> dict[str, Any]:
    entry = {"StackName": "hate", "StackId": STACK, "StackStatus": status, "CreationTime": "2026-11-25T13:30:00Z"}
    return {"Stacks": [{**entry, "Description": "The Crossguard endpoint hate"}]}


def update_in_two_steps(endpoint: Endpoint, *, ends: str) -> tuple[Stubbed, dict[str, Any], Endpoint]:
    """A session that expects another instance type of a scaled endpoint, the template there, and the one to come."""
    before = endpoint.model_copy(update={"capacity": Realtime(max_instances=3)}).template()
    after = endpoint.model_copy(update={"capacity": Realtime(max_instances=3, instance_type="ml.g5.xlarge")})
    session = Stubbed()
    session.expect_stack("UPDATE_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": json.dumps(before)}, {"StackName": "hate"})
    session.expect_change("update", unscaled(before), ends="UPDATE_COMPLETE")
    session.expect_change("update", after.template(), ends=ends)
    return session, before, after


def test_another_instance_type_of_a_scaled_endpoint_is_an_update_without_and_one_with_scaling(
    endpoint: Endpoint,
) -> None:
    session, _, after = update_in_two_steps(endpoint, ends="UPDATE_COMPLETE")
    assert after.deploy(session) == "updated"
    session.stub.assert_no_pending_responses()


def event(status: str, reason: str = "", *, of: str = "Endpoint") -> dict[str, Any]:
    ids = {"StackId": STACK, "StackName": "hate", "EventId": status + reason, "Timestamp": "2026-11-25T13:30:00Z"}
    told = {"ResourceStatusReason": reason} if reason else {}
    return {**ids, "PhysicalResourceId": of, "ResourceStatus": status, **told}


SPRING = [event("UPDATE_FAILED", "limit of 0 instances"), event("UPDATE_IN_PROGRESS", of=STACK)]
TODAY = [
    event("UPDATE_ROLLBACK_IN_PROGRESS", of=STACK),
    event("UPDATE_FAILED", "It did not pass the ping health check."),
    event("UPDATE_IN_PROGRESS"),
    event("UPDATE_IN_PROGRESS", of=STACK),
]


def test_the_reason_of_a_failed_update_is_not_that_of_an_earlier_one(endpoint: Endpoint) -> None:
    after = endpoint.model_copy(update={"capacity": Realtime(instances=2)})
    session = Stubbed()
    session.expect_stack("UPDATE_ROLLBACK_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": json.dumps(endpoint.template())})
    session.expect_change("update", after.template(), ends="UPDATE_ROLLBACK_COMPLETE")
    session.stub.add_response("describe_stack_events", {"StackEvents": [*TODAY, *SPRING]})
    with pytest.raises(DeployError, match="not UPDATE_COMPLETE: It did not pass the ping health check"):
        after.deploy(session)


@pytest.mark.parametrize("then", ["restored", "refused", "still going on", "gone through"])
def test_a_failed_update_to_another_instance_type_gives_the_scaling_back(endpoint: Endpoint, then: str) -> None:
    session, before, after = update_in_two_steps(endpoint, ends="UPDATE_ROLLBACK_COMPLETE")
    session.stub.add_response("describe_stack_events", {"StackEvents": TODAY})
    session.expect_stack("UPDATE_IN_PROGRESS" if then == "still going on" else "UPDATE_ROLLBACK_COMPLETE")
    if then != "still going on":
        there = after.template() if then == "gone through" else unscaled(before)
        session.stub.add_response("get_template", {"TemplateBody": json.dumps(there)}, {"StackName": "hate"})
    if then == "restored":
        session.expect_change("update", before, ends="UPDATE_COMPLETE")
    elif then == "refused":
        session.stub.add_client_error("update_stack", "AccessDenied", "not you")
    with pytest.raises(DeployError, match="did not pass the ping health check") as told:
        after.deploy(session)
    session.stub.assert_no_pending_responses()
    assert ("'hate' may have none until an update succeeds" in str(told.value)) is (then == "refused")


def test_a_container_that_does_not_come_up_is_told_with_awss_reason(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack(None)
    session.expect_change("create", endpoint.template(), ends="DELETE_COMPLETE", OnFailure="DELETE")
    events = [
        event("DELETE_COMPLETE", of=STACK),
        event("CREATE_FAILED", "Resource creation cancelled"),
        event("CREATE_FAILED", "It did not pass the ping health check."),
    ]
    session.stub.add_response("describe_stack_events", {"StackEvents": events}, {"StackName": ANY})
    with pytest.raises(DeployError, match=r"DELETE_COMPLETE.*did not pass the ping health check"):
        endpoint.deploy(session)


def test_an_endpoint_that_is_not_in_service_is_left_alone(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack("UPDATE_IN_PROGRESS")
    with pytest.raises(DeployError, match=r"is UPDATE_IN_PROGRESS.*crossguard deploy sagemaker delete hate"):
        endpoint.deploy(session)


@pytest.mark.parametrize("description", ["The tables of the forum", "The Crossguard endpoint other", None])
@pytest.mark.parametrize("verb", ["deploy", "delete"])
def test_a_stack_of_that_name_that_is_no_endpoint_is_left_alone(
    endpoint: Endpoint, verb: str, description: str | None
) -> None:
    (entry,) = stacks("CREATE_COMPLETE")["Stacks"]
    entry = {key: value for key, value in entry.items() if key != "Description"}
    session = Stubbed()
    session.stub.add_response(
        "describe_stacks", {"Stacks": [entry if description is None else {**entry, "Description": description}]}
    )
    with pytest.raises(DeployError, match="stack 'hate' is there, but is no Crossguard endpoint"):
        endpoint.deploy(session) if verb == "deploy" else delete("hate", session)
    session.stub.assert_no_pending_responses()


def test_an_endpoint_that_is_as_it_shall_be_is_not_touched(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack("UPDATE_ROLLBACK_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": json.dumps(endpoint.template())}, {"StackName": "hate"})
    assert endpoint.deploy(session) == "unchanged"
    session.stub.assert_no_pending_responses()


def test_a_template_that_another_program_sent_as_yaml_is_replaced(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack("UPDATE_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": "Resources: {Model: !Ref x}"}, {"StackName": "hate"})
    session.expect_change("update", endpoint.template(), ends="UPDATE_COMPLETE")
    assert endpoint.deploy(session) == "updated"
    session.stub.assert_no_pending_responses()


def test_an_endpoint_whose_deletion_fails_is_not_told_to_be_gone() -> None:
    session = Stubbed()
    session.expect_stack("CREATE_COMPLETE")
    session.stub.add_response("delete_stack", {}, {"StackName": "hate"})
    for _ in ("by the waiter", "by us"):
        session.stub.add_response("describe_stacks", stacks("DELETE_FAILED"), {"StackName": STACK})
    session.stub.add_response("describe_stack_events", {"StackEvents": []}, {"StackName": STACK})
    with pytest.raises(DeployError, match="DELETE_FAILED, not DELETE_COMPLETE"):
        delete("hate", session)


def test_an_update_keeps_the_instances_that_scaling_started() -> None:
    scaled, fixed = (
        properties(Endpoint(name="hate", container=CONTAINERS[0], capacity=capacity), "Endpoint")
        for capacity in (Realtime(instances=2, max_instances=8), Realtime())
    )
    assert scaled["RetainAllVariantProperties"] is True
    assert "RetainAllVariantProperties" not in fixed
