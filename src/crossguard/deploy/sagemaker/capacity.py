"""What an endpoint runs on, and how it grows: instances, serverless, or instances behind a queue."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel
from crossguard.deploy.sagemaker.container import S3, InstanceType


class Serverless(StrictModel):
    """Nothing runs between requests; the first one after a pause waits for a cold start.

    Attributes:
        memory_mb: Memory, and with it cores.
        provisioned_concurrency: How many stay warm, paid by the hour; none when None.
    """

    kind: Literal["serverless"] = "serverless"
    scales: ClassVar[bool] = False  # SageMaker does it by itself
    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 2048
    max_concurrency: int = Field(default=10, ge=1, le=200)
    provisioned_concurrency: int | None = Field(default=None, ge=1, le=200)

    def variant(self) -> dict[str, Any]:
        """Returns the capacity part of a production variant."""
        settings = {"MemorySizeInMB": self.memory_mb, "MaxConcurrency": self.max_concurrency}
        if self.provisioned_concurrency is not None:
            settings["ProvisionedConcurrency"] = self.provisioned_concurrency
        return {"ServerlessConfig": settings}


class _Instances(StrictModel):
    """Machines whose number may follow the load."""

    instance_type: InstanceType = "ml.c7i.large"
    instances: int
    max_instances: int | None

    @model_validator(mode="after")
    def _ordered(self) -> _Instances:
        if self.max_instances is not None and self.max_instances < self.instances:
            raise ValueError(f"max_instances ({self.max_instances}) must not be below instances ({self.instances})")
        return self

    def variant(self) -> dict[str, Any]:
        """Returns the capacity part of a production variant; an endpoint cannot begin with no instance."""
        return {"InstanceType": self.instance_type, "InitialInstanceCount": max(1, self.instances)}

    @property
    def scales(self) -> bool:
        """Whether the number of instances changes by itself."""
        return self.max_instances is not None and self.max_instances != self.instances


class Realtime(_Instances):
    """Instances that are always on and answer at once; their number may follow the load.

    Attributes:
        instances: How many at the start, and at least.
        max_instances: How many at most; no scaling when None.
        invocations_per_minute: Requests per instance and minute that scaling aims at.
    """

    kind: Literal["realtime"] = "realtime"
    instances: int = Field(default=1, ge=1)
    max_instances: int | None = Field(default=None, ge=1)
    invocations_per_minute: float = Field(default=600, gt=0)


class Asynchronous(_Instances):
    """Requests wait in a queue, their bodies and answers in S3; with `instances` 0 nothing runs while it is empty.

    Attributes:
        instances: How many at least; 0 starts one when a request comes, which takes minutes.
        input: S3 prefix that callers put requests under.
        output: S3 prefix of the answers.
        failures: S3 prefix of the errors; beside the answers when None.
        success_topic: SNS topic that is told of answers.
        backlog_per_instance: Waiting requests per instance that scaling aims at.
    """

    kind: Literal["async"] = "async"
    instances: int = Field(default=0, ge=0)
    max_instances: int = Field(default=1, ge=1)
    input: S3
    output: S3
    failures: S3 | None = None
    success_topic: str | None = None
    error_topic: str | None = None
    concurrency: int = Field(default=4, ge=1, le=1000)
    backlog_per_instance: float = Field(default=20, gt=0)

    @property
    def topics(self) -> dict[str, str]:
        """SNS topics by the name of their property."""
        topics = {"SuccessTopic": self.success_topic, "ErrorTopic": self.error_topic}
        return {key: value for key, value in topics.items() if value}

    def queue(self) -> dict[str, Any]:
        """Returns what the endpoint configuration has beside its variant."""
        output: dict[str, Any] = {"S3OutputPath": self.output}
        if self.failures:
            output["S3FailurePath"] = self.failures
        if self.topics:
            output["NotificationConfig"] = self.topics
        return {"OutputConfig": output, "ClientConfig": {"MaxConcurrentInvocationsPerInstance": self.concurrency}}


Capacity: TypeAlias = Annotated[Realtime | Serverless | Asynchronous, Field(discriminator="kind")]
