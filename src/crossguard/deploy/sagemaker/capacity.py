"""What an endpoint runs on, and how it grows: instances, serverless, or instances behind a queue."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from crossguard.deploy.sagemaker.calls import Call, FromReply
from crossguard.deploy.sagemaker.model import S3, VARIANT
from crossguard.strict import StrictModel

InstanceType: TypeAlias = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
SCALING = "application-autoscaling"


class Realtime(StrictModel):
    """Instances that are always on and answer at once; their number may follow the load.

    Attributes:
        instance_type: Such as `ml.c7i.large`.
        instances: How many at the start, and at least.
        max_instances: How many at most; no scaling when None.
        invocations_per_minute: Requests per instance and minute that scaling aims at.
    """

    kind: Literal["realtime"] = "realtime"
    instance_type: InstanceType = "ml.c7i.large"
    instances: int = Field(default=1, ge=1)
    max_instances: int | None = Field(default=None, ge=1)
    invocations_per_minute: float = Field(default=600, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Realtime:
        if self.max_instances is not None and self.max_instances < self.instances:
            raise ValueError(f"max_instances ({self.max_instances}) must not be below instances ({self.instances})")
        return self

    def variant(self) -> dict[str, Any]:
        """Returns the capacity part of a production variant."""
        return {"InstanceType": self.instance_type, "InitialInstanceCount": self.instances}

    def configuration(self) -> dict[str, Any]:
        """Returns what the endpoint configuration has beside its variant."""
        return {}

    def scaling(self, endpoint: str) -> list[Call]:
        """Returns the requests that let the number of instances follow the load."""
        if self.max_instances is None:
            return []
        metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
        policy = {
            "TargetValue": self.invocations_per_minute,
            "PredefinedMetricSpecification": metric,
            # Out at once when the load comes, in only when it has stayed away.
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        }
        return [register(endpoint, self.instances, self.max_instances), _tracking(endpoint, policy)]


class Serverless(StrictModel):
    """Nothing runs between requests; the first one after a pause waits for a cold start.

    Attributes:
        memory_mb: Memory, and with it cores.
        max_concurrency: Requests at once.
        provisioned_concurrency: How many stay warm, paid by the hour; none when None.
    """

    kind: Literal["serverless"] = "serverless"
    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    max_concurrency: int = Field(default=10, ge=1, le=200)
    provisioned_concurrency: int | None = Field(default=None, ge=1, le=200)

    def variant(self) -> dict[str, Any]:
        """Returns the capacity part of a production variant."""
        settings = {"MemorySizeInMB": self.memory_mb, "MaxConcurrency": self.max_concurrency}
        if self.provisioned_concurrency is not None:
            settings["ProvisionedConcurrency"] = self.provisioned_concurrency
        return {"ServerlessConfig": settings}

    def configuration(self) -> dict[str, Any]:
        """Returns what the endpoint configuration has beside its variant."""
        return {}

    def scaling(self, endpoint: str) -> list[Call]:  # noqa: ARG002 - SageMaker scales it by itself
        """Returns no requests."""
        return []


class Asynchronous(StrictModel):
    """Requests wait in a queue, their bodies and answers in S3; with `instances` 0 nothing runs while it is empty.

    Attributes:
        instance_type: Such as `ml.c7i.large`.
        instances: How many at least; 0 starts one when a request comes, which takes minutes.
        max_instances: How many at most.
        input: S3 prefix that callers put requests under.
        output: S3 prefix of the answers.
        failures: S3 prefix of the errors; beside the answers when None.
        success_topic: SNS topic that is told of answers.
        error_topic: SNS topic that is told of errors.
        concurrency: Requests at once per instance.
        backlog_per_instance: Waiting requests per instance that scaling aims at.
    """

    kind: Literal["async"] = "async"
    instance_type: InstanceType = "ml.c7i.large"
    instances: int = Field(default=0, ge=0)
    max_instances: int = Field(default=1, ge=1)
    input: S3
    output: S3
    failures: S3 | None = None
    success_topic: str | None = None
    error_topic: str | None = None
    concurrency: int = Field(default=4, ge=1, le=1000)
    backlog_per_instance: float = Field(default=20, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Asynchronous:
        if self.max_instances < self.instances:
            raise ValueError(f"max_instances ({self.max_instances}) must not be below instances ({self.instances})")
        return self

    def variant(self) -> dict[str, Any]:
        """Returns the capacity part of a production variant; an endpoint cannot begin with no instance."""
        return {"InstanceType": self.instance_type, "InitialInstanceCount": max(1, self.instances)}

    def configuration(self) -> dict[str, Any]:
        """Returns what the endpoint configuration has beside its variant."""
        output: dict[str, Any] = {"S3OutputPath": self.output}
        if self.failures:
            output["S3FailurePath"] = self.failures
        topics = {"SuccessTopic": self.success_topic, "ErrorTopic": self.error_topic}
        if any(topics.values()):
            output["NotificationConfig"] = {key: value for key, value in topics.items() if value}
        client = {"MaxConcurrentInvocationsPerInstance": self.concurrency}
        return {"AsyncInferenceConfig": {"OutputConfig": output, "ClientConfig": client}}

    def scaling(self, endpoint: str) -> list[Call]:
        """Returns the requests that let the number of instances follow the queue, down to none and up again."""
        if self.instances == self.max_instances:
            return []
        metric = {
            "MetricName": "ApproximateBacklogSizePerInstance",
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
            "Statistic": "Average",
        }
        policy = {
            "TargetValue": self.backlog_per_instance,
            "CustomizedMetricSpecification": metric,
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        }
        calls = [register(endpoint, self.instances, self.max_instances), _tracking(endpoint, policy)]
        return calls if self.instances else [*calls, *_waking(endpoint)]


Capacity: TypeAlias = Annotated[Realtime | Serverless | Asynchronous, Field(discriminator="kind")]


def target(endpoint: str) -> dict[str, str]:
    """Returns what names an endpoint's variant to the autoscaling service."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


def register(endpoint: str, least: int, most: int) -> Call:
    """Returns the request that lets the autoscaling service change the number of instances."""
    return Call(SCALING, "RegisterScalableTarget", {**target(endpoint), "MinCapacity": least, "MaxCapacity": most})


def alarm(endpoint: str) -> str:
    """Returns the name of the alarm that wakes an endpoint without instances."""
    return f"{endpoint}-backlog-without-capacity"


def _tracking(endpoint: str, policy: dict[str, Any]) -> Call:
    named = {"PolicyName": f"{endpoint}-tracking", "PolicyType": "TargetTrackingScaling"}
    parameters = {**named, **target(endpoint), "TargetTrackingScalingPolicyConfiguration": policy}
    return Call(SCALING, "PutScalingPolicy", parameters)


def _waking(endpoint: str) -> list[Call]:
    """Returns the requests that start one instance as soon as something waits and none is there.

    A backlog per instance is not defined without an instance, so the tracking policy alone would never wake it.
    """
    steps = {
        "AdjustmentType": "ChangeInCapacity",
        "MetricAggregationType": "Average",
        "Cooldown": 300,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    policy = {"PolicyName": f"{endpoint}-waking", "PolicyType": "StepScaling", **target(endpoint)}
    watch = {
        "AlarmName": alarm(endpoint),
        "MetricName": "HasBacklogWithoutCapacity",
        "Namespace": "AWS/SageMaker",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 2,
        "DatapointsToAlarm": 2,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [FromReply("PutScalingPolicy", "PolicyARN")],
    }
    return [
        Call(SCALING, "PutScalingPolicy", {**policy, "StepScalingPolicyConfiguration": steps}),
        Call("cloudwatch", "PutMetricAlarm", watch),
    ]
