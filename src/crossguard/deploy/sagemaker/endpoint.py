"""The life of an endpoint: create, update, invoke, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossguard.deploy.sagemaker.calls import Aws, Call, Step, Wait
from crossguard.deploy.sagemaker.capacity import SCALING, Capacity, Realtime, alarm, target
from crossguard.deploy.sagemaker.model import VARIANT, Container, Name, name_of, tagged
from crossguard.errors import DeployError
from crossguard.strict import StrictModel

_MISSING = "Could not find"


class Endpoint(StrictModel):
    """An endpoint as it shall be; `deploy` makes AWS agree.

    Attributes:
        name: Of the endpoint, and the beginning of the names of its model and configuration.
        container: What runs.
        capacity: What it runs on.
    """

    name: Name
    container: Container
    capacity: Capacity = Realtime()

    def steps(self, running: Running | None = None) -> list[Step]:
        """Returns all that `deploy` does.

        Args:
            running: What is there now; None to create the endpoint.
        """
        model = self.container.create(self.name, serverless=self.capacity.kind == "serverless")
        configuration = self._configuration(model.parameters["ModelName"])
        name = configuration.parameters["EndpointConfigName"]
        scaling = self.capacity.scaling(self.name)
        if running is not None and running.configuration == name:
            return [*scaling]
        both = {"EndpointName": self.name, "EndpointConfigName": name}
        ready = Wait("sagemaker", "endpoint_in_service", {"EndpointName": self.name})
        if running is None:
            create = Call("sagemaker", "CreateEndpoint", {**both, **tagged(self.container.tags)})
            return [model, configuration, create, ready, *scaling]
        # SageMaker refuses to update an endpoint while its number of instances is managed.
        update = Call("sagemaker", "UpdateEndpoint", both)
        unmanaged = _unmanage(self.name) if running.managed else []
        old = running.parts_to_delete(keep=model.parameters["ModelName"])
        return [model, configuration, *unmanaged, update, ready, *scaling, *old]

    def deploy(self, aws: Aws | None = None) -> list[Step]:
        """Creates the endpoint, or updates it without a pause in service, and waits until it serves.

        Returns:
            What was done; nothing but scaling when the endpoint was as described already.

        Raises:
            DeployError: AWS refused a request, or the container did not come up; names AWS's reason.
        """
        aws = aws or Aws()
        running = find(aws, self.name)
        if running is not None and running.status != "InService":
            raise DeployError(
                f"The endpoint '{self.name}' is {running.status}, and only one that is InService can be updated. Wait, "
                f"or remove it with: crossguard deploy sagemaker delete {self.name}"
            )
        steps = self.steps(running)
        aws.run(steps)
        return steps

    def _configuration(self, model: str) -> Call:
        variant = {"VariantName": VARIANT, "ModelName": model, **self.capacity.variant()}
        parameters = {
            "ProductionVariants": [variant],
            **self.capacity.configuration(),
            **tagged(self.container.tags),
        }
        named = {"EndpointConfigName": name_of(self.name, parameters), **parameters}
        return Call("sagemaker", "CreateEndpointConfig", named, done_already="already existing endpoint configuration")


@dataclass(frozen=True, slots=True)
class Running:
    """What AWS has of an endpoint.

    Attributes:
        name: Of the endpoint.
        status: AWS's word, such as `InService`.
        configuration: Name of its configuration.
        models: Names of the models that the configuration runs.
        managed: Whether the autoscaling service manages its number of instances.
    """

    name: str
    status: str
    configuration: str
    models: tuple[str, ...]
    managed: bool

    def parts_to_delete(self, keep: str = "") -> list[Step]:
        """Returns the requests that delete the configuration and the models, but one that is still in use."""
        configuration = {"EndpointConfigName": self.configuration}
        models = [{"ModelName": model} for model in self.models if model != keep]
        return [
            Call("sagemaker", "DeleteEndpointConfig", configuration, _MISSING),
            *(Call("sagemaker", "DeleteModel", model, _MISSING) for model in models),
        ]

    def steps_to_delete(self) -> list[Step]:
        """Returns the requests that delete the endpoint and all that was made for it, so that nothing is billed."""
        name = {"EndpointName": self.name}
        unmanaged = _unmanage(self.name) if self.managed else []
        delete = Call("sagemaker", "DeleteEndpoint", name, _MISSING)
        return [*unmanaged, delete, Wait("sagemaker", "endpoint_deleted", name), *self.parts_to_delete()]


def describing(name: str, configuration: str = "*") -> tuple[Call, Call, Call]:
    """Returns the requests that ask for an endpoint, its configuration, and its scaling."""
    keys = target(name)
    managed = {"ServiceNamespace": keys["ServiceNamespace"], "ResourceIds": [keys["ResourceId"]]}
    return (
        Call("sagemaker", "DescribeEndpoint", {"EndpointName": name}, _MISSING),
        Call("sagemaker", "DescribeEndpointConfig", {"EndpointConfigName": configuration}, _MISSING),
        Call(SCALING, "DescribeScalableTargets", managed),
    )


def find(aws: Aws, name: str) -> Running | None:
    """Returns what AWS has of an endpoint, or None.

    Raises:
        DeployError: AWS refused to say.
    """
    (endpoint,) = aws.run(describing(name)[:1])
    if not endpoint:
        return None
    configuration = endpoint["EndpointConfigName"]
    details, targets = aws.run(describing(name, configuration)[1:])
    models = tuple(variant["ModelName"] for variant in details.get("ProductionVariants", ()))
    return Running(name, endpoint["EndpointStatus"], configuration, models, bool(targets["ScalableTargets"]))


def delete(name: str, aws: Aws | None = None) -> list[Step]:
    """Deletes an endpoint, its configuration, models, scaling and alarm.

    Returns:
        What was done.

    Raises:
        DeployError: There is no such endpoint, or AWS refused a request.
    """
    aws = aws or Aws()
    running = find(aws, name)
    if running is None:
        raise DeployError(f"There is no endpoint '{name}' in this region. See: aws sagemaker list-endpoints")
    steps = running.steps_to_delete()
    aws.run(steps)
    return steps


def invoke(name: str, posts: Sequence[Mapping[str, Any]], aws: Aws | None = None) -> list[dict[str, Any]]:
    """Scores posts on a real-time or serverless endpoint.

    Args:
        name: Of the endpoint.
        posts: With the keys `text`, `image_base64`, `image_text` and `id`.
        aws: How to reach AWS.

    Returns:
        For each post, in order, a prediction, or an object with `error` and `message`.

    Raises:
        DeployError: AWS or the container refused the request as a whole; carries the container's reason.
    """
    body = json.dumps({"instances": list(posts)})
    parameters = {"EndpointName": name, "ContentType": "application/json", "Accept": "application/json", "Body": body}
    (reply,) = (aws or Aws()).run([Call("sagemaker-runtime", "InvokeEndpoint", parameters)])
    predictions: list[dict[str, Any]] = json.loads(reply["Body"].read())["predictions"]
    return predictions


def _unmanage(name: str) -> list[Call]:
    """Returns the requests that take scaling back; the policies go with the target, the alarm does not."""
    return [
        Call(SCALING, "DeregisterScalableTarget", target(name)),
        Call("cloudwatch", "DeleteAlarms", {"AlarmNames": [alarm(name)]}),
    ]
