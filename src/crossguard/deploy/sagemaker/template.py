"""An endpoint as the CloudFormation template `endpoint.yaml`: AWS creates, updates, rolls back and deletes it."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from crossguard.deploy.sagemaker.capacity import Asynchronous, Capacity, Realtime, Serverless
from crossguard.deploy.sagemaker.container import Container, name_of, tagged
from crossguard.deploy.sagemaker.documents import document

Template: TypeAlias = dict[str, Any]
VARIANT: Final = "AllTraffic"
SCALING: Final = ("Target", "Tracking", "Waking", "Backlog")


def template_of(name: str, container: Container, capacity: Capacity) -> Template:
    """Returns the template of an endpoint.

    Model and configuration are named after their content, as SageMaker never changes either: an update creates new
    ones, moves the endpoint without a pause in service, and deletes the old ones.
    """
    model = container.model(serverless=isinstance(capacity, Serverless))
    model_name = name_of(name, model)
    variant = {
        "VariantName": VARIANT,
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InitialVariantWeight": 1,
        **capacity.variant(),
    }
    configuration: dict[str, Any] = {"ProductionVariants": [variant], **tagged(container.tags)}
    if isinstance(capacity, Asynchronous):
        configuration["AsyncInferenceConfig"] = capacity.queue()
    configuration_name = name_of(name, {"model": model_name, **configuration})
    values = {
        "name": name,
        "variant": VARIANT,
        "model": {"ModelName": model_name, **model},
        "configuration": {"EndpointConfigName": configuration_name, **configuration},
        "endpoint": {
            "EndpointName": name,
            "EndpointConfigName": {"Fn::GetAtt": ["Configuration", "EndpointConfigName"]},
            **tagged(container.tags),
        },
        "scales": capacity.scales,
        "sleeps": capacity.scales and not getattr(capacity, "instances", 1),
        "realtime": isinstance(capacity, Realtime),
        "queued": isinstance(capacity, Asynchronous),
        **{key: getattr(capacity, key, None) for key in ("instances", "max_instances")},
        "load": getattr(capacity, "invocations_per_minute", None) or getattr(capacity, "backlog_per_instance", None),
    }
    return document("endpoint", values)


def unscaled(template: Template) -> Template:
    """Returns a template without its scaling."""
    kept = {name: resource for name, resource in template["Resources"].items() if name not in SCALING}
    return {**template, "Resources": kept}


def instance_type(template: Template) -> str | None:
    """Returns what the endpoint of a template runs on; None for a serverless one."""
    (variant,) = template["Resources"]["Configuration"]["Properties"]["ProductionVariants"]
    kind: str | None = variant.get("InstanceType")
    return kind
