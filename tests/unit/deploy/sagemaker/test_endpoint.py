"""What is asked of CloudFormation for an endpoint, checked against AWS's model by botocore's stubber."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from crossguard.deploy.sagemaker import Endpoint, Realtime, delete
from crossguard.deploy.sagemaker.template import unscaled
from crossguard.errors import DeployError

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


def test_an_endpoint_that_is_as_it_shall_be_is_not_touched(endpoint: Endpoint) -> None:
    session = Stubbed()
    session.expect_stack("UPDATE_ROLLBACK_COMPLETE")
    session.stub.add_response("get_template", {"TemplateBody": json.dumps(endpoint.template())}, {"StackName": "hate"})
    assert endpoint.deploy(session) == "unchanged"
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
