"""An endpoint: its CloudFormation template `endpoint.yaml`, by which AWS creates, updates and deletes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Final, Literal, TypeAlias

from pydantic import model_validator

from crossguard.checked_settings import StrictModel
from crossguard.deploy.sagemaker.aws import AwsSession, Request, client, send, wait
from crossguard.deploy.sagemaker.capacity import Asynchronous, Capacity, Realtime, Serverless
from crossguard.deploy.sagemaker.container import Container, Name, name_of, tagged
from crossguard.deploy.sagemaker.documents import document
from crossguard.errors import DeployError

Template: TypeAlias = dict[str, Any]
VARIANT: Final = "AllTraffic"
SCALING: Final = ("Target", "Tracking", "Waking", "Backlog")
MINUTES: Final = 60
SETTLED: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def unscaled(template: Template) -> Template:
    """Returns a template without its scaling."""
    kept = {name: resource for name, resource in template["Resources"].items() if name not in SCALING}
    return {**template, "Resources": kept}


def instance_type(template: Template) -> str | None:
    """Returns what the endpoint of a template runs on; None for a serverless one."""
    (variant,) = template["Resources"]["Configuration"]["Properties"]["ProductionVariants"]
    kind: str | None = variant.get("InstanceType")
    return kind


class Endpoint(StrictModel):
    """An endpoint as it shall be; `deploy` makes AWS agree.

    Attributes:
        name: Of the endpoint and its CloudFormation stack, and how the names of model and configuration begin.
    """

    kind: Literal["endpoint"] = "endpoint"
    name: Name
    container: Container
    capacity: Capacity = Realtime()

    @model_validator(mode="after")
    def _vpc_is_had(self) -> Endpoint:
        if self.container.subnets and isinstance(self.capacity, Serverless):
            raise ValueError(
                "a serverless endpoint runs in no VPC, where subnets and security_groups do nothing: leave them out "
                "or choose another kind of capacity"
            )
        return self

    def template(self) -> Template:
        """Returns the CloudFormation template.

        Model and configuration are named after their content, as SageMaker never changes either: an update creates new
        ones, moves the endpoint without a pause in service, and deletes the old ones.
        """
        name, capacity, tags = self.name, self.capacity, tagged(self.container.tags)
        model = self.container.model(
            serverless=isinstance(capacity, Serverless), uncapped=isinstance(capacity, Asynchronous)
        )
        model_name = name_of(name, model)
        variant = {
            "VariantName": VARIANT,
            "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
            "InitialVariantWeight": 1,
            **capacity.variant(),
        }
        configuration: dict[str, Any] = {"ProductionVariants": [variant], **tags}
        if isinstance(capacity, Asynchronous):
            configuration["AsyncInferenceConfig"] = capacity.queue()
        configuration_name = name_of(name, {"model": model_name, **configuration})
        settings = dict(capacity)
        values = settings | {
            "name": name,
            "description": _description(name),
            "variant": VARIANT,
            "model": {"ModelName": model_name, **model},
            "configuration": {"EndpointConfigName": configuration_name, **configuration},
            "endpoint": {
                "EndpointName": name,
                "EndpointConfigName": {"Fn::GetAtt": ["Configuration", "EndpointConfigName"]},
                # An update under load keeps the instances that scaling started.
                **({"RetainAllVariantProperties": True} if capacity.scales else {}),
                **tags,
            },
            "scales": capacity.scales,
            "sleeps": capacity.scales and not settings["instances"],
            "realtime": isinstance(capacity, Realtime),
            "queued": isinstance(capacity, Asynchronous),
            "load": settings.get("invocations_per_minute") or settings.get("backlog_per_instance"),
        }
        return document("endpoint", values)

    def deploy(self, session: AwsSession | None = None) -> Literal["created", "updated", "unchanged"]:
        """Creates the endpoint, or updates it without a pause in service, and waits until it serves.

        Raises:
            DeployError: A stack of that name is something else, AWS refused a request, or the container did not come
                up; names AWS's reason. What was there before is there again, or the error says what is not.
        """
        formation = client("cloudformation", session)
        stack, template = _find(formation, self.name), self.template()
        if stack is None:
            # A stack that could not be created would only be in the way of the next try.
            _change(formation, "Create", self.name, template, OnFailure="DELETE")
            return "created"
        if stack["StackStatus"] not in SETTLED:
            raise DeployError(
                f"The stack '{self.name}' is {stack['StackStatus']} and cannot be updated. Wait, or remove it with: "
                f"crossguard deploy sagemaker delete {self.name}"
            )
        before = send(formation, Request("GetTemplate", {"StackName": self.name}))["TemplateBody"]
        if before == template:
            return "unchanged"
        # SageMaker does not change the instance type of an endpoint whose number of instances is managed.
        is_managed = isinstance(before, dict) and SCALING[0] in before["Resources"]  # YAML of somebody else is a text
        if is_managed and instance_type(before) != instance_type(template):
            _change(formation, "Update", self.name, unscaled(before))
            _change_or_restore(formation, self.name, template, before)
        else:
            _change(formation, "Update", self.name, template)
        return "updated"


def delete(name: str, session: AwsSession | None = None) -> None:
    """Deletes an endpoint, its configuration, model, scaling and alarm, and waits until they are gone.

    Raises:
        DeployError: There is no such endpoint, a stack of that name is something else, or AWS refused a request.
    """
    formation = client("cloudformation", session)
    stack = _find(formation, name)
    if stack is None:
        raise DeployError(f"There is no endpoint '{name}' in this region. See: aws cloudformation list-stacks")
    send(formation, Request("DeleteStack", {"StackName": name}))
    wait(formation, "stack_delete_complete", {"StackName": stack["StackId"]}, MINUTES)
    _require(formation, stack["StackId"], "DELETE_COMPLETE")


def invoke(name: str, posts: Sequence[Mapping[str, Any]], session: AwsSession | None = None) -> list[dict[str, Any]]:
    """Scores posts, of `text`, `image_base64`, `image_text` and `id`, on a real-time or serverless endpoint.

    Returns:
        For each post, in order, a prediction, or an object with `error` and `message`.

    Raises:
        DeployError: AWS or the container refused the request as a whole; carries the container's reason.
    """
    body = json.dumps({"instances": list(posts)})
    parameters = {"EndpointName": name, "ContentType": "application/json", "Accept": "application/json", "Body": body}
    reply = send(client("sagemaker-runtime", session), Request("InvokeEndpoint", parameters))
    predictions: list[dict[str, Any]] = json.loads(reply["Body"].read())["predictions"]
    return predictions


def _find(formation: Any, name: str) -> dict[str, Any] | None:
    """Returns the stack of an endpoint; None where there is none.

    Raises:
        DeployError: The stack of that name is something else, which nothing here may change or delete.
    """
    try:
        stack = _stack(formation, name)
    except DeployError as error:
        if "does not exist" in str(error):
            return None
        raise
    if stack.get("Description") != _description(name):
        raise DeployError(f"The stack '{name}' is there, but is no Crossguard endpoint. Choose another name.")
    return stack


def _description(name: str) -> str:
    return f"The Crossguard endpoint {name}"


def _stack(formation: Any, name: str) -> dict[str, Any]:
    (stack,) = send(formation, Request("DescribeStacks", {"StackName": name}))["Stacks"]
    found: dict[str, Any] = stack
    return found


def _change(formation: Any, verb: Literal["Create", "Update"], name: str, template: Template, **options: str) -> None:
    body = {"StackName": name, "TemplateBody": json.dumps(template), **options}
    stack: str = send(formation, Request(f"{verb}Stack", body))["StackId"]
    wait(formation, f"stack_{verb.lower()}_complete", {"StackName": stack}, MINUTES)
    _require(formation, stack, f"{verb.upper()}_COMPLETE")


def _change_or_restore(formation: Any, name: str, template: Template, before: Template) -> None:
    """Updates an endpoint whose scaling was taken away for it; where that fails, the scaling comes back.

    An update that may still go through, such as one that takes too long, is left to itself.
    """
    try:
        _change(formation, "Update", name, template)
    except DeployError as error:
        try:
            if _holds(formation, name, unscaled(before)):
                _change(formation, "Update", name, before)
        except DeployError as second:
            raise DeployError(
                f"{error} And its scaling, which was taken away for the other instance type, could not be restored "
                f"({second}): '{name}' may have none until an update succeeds. Apply the file of before, or this one, "
                "again."
            ) from error
        raise


def _holds(formation: Any, name: str, template: Template) -> bool:
    """Whether a stack is what a template says, and not on its way to another one."""
    if _stack(formation, name)["StackStatus"] not in SETTLED:
        return False
    now: object = send(formation, Request("GetTemplate", {"StackName": name}))["TemplateBody"]
    return now == template


def _require(formation: Any, stack: str, status: str) -> None:
    """Checks how a change ended, as AWS rolls one that failed back by itself."""
    entry = _stack(formation, stack)
    if entry["StackStatus"] == status:
        return
    events = send(formation, Request("DescribeStackEvents", {"StackName": stack}))["StackEvents"]
    begun = (stack, status.replace("_COMPLETE", "_IN_PROGRESS"))
    # The newest event comes first, and those of earlier changes last. The first failure is the cause of the others.
    recent = takewhile(lambda event: (event.get("PhysicalResourceId"), event["ResourceStatus"]) != begun, events)
    failed = [event for event in recent if event["ResourceStatus"].endswith("FAILED")]
    reason = failed[-1].get("ResourceStatusReason") if failed else entry.get("StackStatusReason")
    raise DeployError(f"The stack ended as {entry['StackStatus']}, not {status}: {reason or 'no reason given'}")
