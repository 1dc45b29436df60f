"""An endpoint as a CloudFormation template: AWS creates, updates, rolls back and deletes what it describes."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from crossguard.deploy.sagemaker.capacity import Asynchronous, Capacity, Serverless
from crossguard.deploy.sagemaker.container import Container, name_of, tagged

Template: TypeAlias = dict[str, Any]
VARIANT: Final = "AllTraffic"
# Out at once when the load comes, in only when it has stayed away.
COOLDOWNS: Final = {"ScaleOutCooldown": 60, "ScaleInCooldown": 300}
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
    endpoint = {
        "EndpointName": name,
        "EndpointConfigName": {"Fn::GetAtt": ["Configuration", "EndpointConfigName"]},
        **tagged(container.tags),
    }
    resources = {
        "Model": _resource("SageMaker::Model", {"ModelName": model_name, **model}),
        "Configuration": _resource(
            "SageMaker::EndpointConfig", {"EndpointConfigName": configuration_name, **configuration}
        ),
        "Endpoint": _resource("SageMaker::Endpoint", endpoint),
        **_scaling(name, capacity),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The Crossguard endpoint {name}",
        "Resources": resources,
    }


def unscaled(template: Template) -> Template:
    """Returns a template without its scaling."""
    kept = {name: resource for name, resource in template["Resources"].items() if name not in SCALING}
    return {**template, "Resources": kept}


def instance_type(template: Template) -> str | None:
    """Returns what the endpoint of a template runs on; None for a serverless one."""
    (variant,) = template["Resources"]["Configuration"]["Properties"]["ProductionVariants"]
    kind: str | None = variant.get("InstanceType")
    return kind


def alarm(name: str) -> str:
    """Returns the name of the alarm that wakes an endpoint without instances."""
    return f"{name}-backlog-without-capacity"


def _resource(kind: str, properties: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties, **({"DependsOn": after} if after else {})}


def _scaling(name: str, capacity: Capacity) -> dict[str, Any]:
    if isinstance(capacity, Serverless) or not capacity.scales:
        return {}  # SageMaker scales serverless endpoints by itself
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": capacity.instances,
        "MaxCapacity": capacity.max_instances,
    }
    tracking = {**capacity.tracking(name), **COOLDOWNS}
    resources = {
        "Target": _resource("ApplicationAutoScaling::ScalableTarget", target, after="Endpoint"),
        "Tracking": _policy(
            f"{name}-tracking", "TargetTrackingScaling", {"TargetTrackingScalingPolicyConfiguration": tracking}
        ),
    }
    return resources if capacity.instances else {**resources, **_waking(name)}


def _policy(name: str, kind: str, configuration: dict[str, Any]) -> dict[str, Any]:
    properties = {"PolicyName": name, "PolicyType": kind, "ScalingTargetId": {"Ref": "Target"}, **configuration}
    return _resource("ApplicationAutoScaling::ScalingPolicy", properties)


def _waking(name: str) -> dict[str, Any]:
    """Returns what starts one instance as soon as something waits and none is there.

    A backlog per instance is not defined without an instance, so the tracking policy alone would never wake it.
    """
    steps = {
        "AdjustmentType": "ChangeInCapacity",
        "MetricAggregationType": "Average",
        "Cooldown": 300,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    backlog = {
        "AlarmName": alarm(name),
        "MetricName": "HasBacklogWithoutCapacity",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": name}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [{"Ref": "Waking"}],
    }
    return {
        "Waking": _policy(f"{name}-waking", "StepScaling", {"StepScalingPolicyConfiguration": steps}),
        "Backlog": _resource("CloudWatch::Alarm", backlog),
    }
