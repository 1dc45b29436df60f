"""What runs behind an endpoint or a batch transform: a container, and an archive that SageMaker unpacks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel

# Names end in ten digits of a hash, so that 63 characters, SageMaker's limit, leave 52 for ours. They begin with a
# letter, as CloudFormation wants it of stacks.
Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z](-*[a-zA-Z0-9])*$", max_length=52)]
# Jobs cannot be deleted, so theirs end in the time, which is longer.
JobName: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", max_length=47)]
S3: TypeAlias = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$")]
Role: TypeAlias = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
InstanceType: TypeAlias = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]

# SageMaker's own bound on what a batch transform sends at the same time.
MAX_TOTAL_MB: Final = 100
# A request holds as many lines as fit, which may be tens of thousands of short posts: the caps of a public service
# would refuse it, and here nobody else waits. What a transform sends at once fits the default for all bodies together.
# AWS's image has TorchServe's caps, 6.5 MB and two minutes, and an answer may be forty times as long as its post. The
# toolkit's own SAGEMAKER_MODEL_SERVER_TIMEOUT is lost where its file of defaults, before it, ends without a line end.
UNCAPPED: Final = {
    "crossguard": {
        "CROSSGUARD_MAX_POSTS": "1000000",
        "CROSSGUARD_MAX_QUEUE": "2000000",
        "CROSSGUARD_MAX_BODY_BYTES": str(MAX_TOTAL_MB << 20),
        "CROSSGUARD_BODY_TIMEOUT_S": "3600",
        "CROSSGUARD_REQUEST_TIMEOUT_S": "3600",
    },
    "pytorch": {
        "TS_MAX_REQUEST_SIZE": str(MAX_TOTAL_MB << 20),
        "TS_MAX_RESPONSE_SIZE": str(1 << 30),
        "TS_DEFAULT_RESPONSE_TIMEOUT": "3600",
    },
}


class Container(StrictModel):
    """A container and its model.

    Attributes:
        image: URI of the container image in ECR.
        model_data: The archive of `crossguard deploy sagemaker package`, in S3.
        role: ARN of the role that SageMaker takes on; see `crossguard deploy sagemaker policy`.
        image_kind: `crossguard` is our own image, `pytorch` one of AWS's PyTorch inference images.
        subnets: Of a VPC that the container shall be attached to; `security_groups` of it are needed, too.
        tags: For the bill.
    """

    image: Annotated[str, Field(pattern=r"^[\w.-]+/[\w./-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$")]
    model_data: S3
    role: Role
    image_kind: Literal["crossguard", "pytorch"] = "crossguard"
    policy: str = "default"
    environment: dict[str, str] = Field(default_factory=dict)
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole_vpc(self) -> Container:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups are of one VPC: give both, or neither")
        return self

    def model(self, *, serverless: bool = False, uncapped: bool = False) -> dict[str, Any]:
        """Returns the properties of a SageMaker model; CloudFormation and CreateModel name them alike.

        A serverless endpoint allows neither a VPC nor network isolation. Requests are `uncapped` where they come from
        a storage and nobody waits for the answer.
        """
        properties: dict[str, Any] = {
            "PrimaryContainer": {
                "Image": self.image,
                "ModelDataUrl": self.model_data,
                "Environment": {
                    **(UNCAPPED[self.image_kind] if uncapped else {}),
                    **self._variables(),
                    **self.environment,
                },
            },
            "ExecutionRoleArn": self.role,
            # Our own image needs no network. AWS's images install the archive's requirements from one.
            "EnableNetworkIsolation": self.image_kind == "crossguard" and not serverless,
            **tagged(self.tags),
        }
        if self.subnets:
            properties["VpcConfig"] = {"Subnets": [*self.subnets], "SecurityGroupIds": [*self.security_groups]}
        return properties

    def _variables(self) -> dict[str, str]:
        own = {"CROSSGUARD_POLICY": self.policy}
        if self.image_kind == "crossguard":
            # SageMaker alone reaches the container, and asks who may call before it does.
            inside = {"CROSSGUARD_HOST": "0.0.0.0", "CROSSGUARD_INSECURE": "true"}  # noqa: S104
            return {**own, **inside, "CROSSGUARD_MODEL": "/opt/ml/model"}
        # One worker that uses every core; the image would start one per core, each of which would do the same.
        return {
            **own,
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        }


def name_of(prefix: str, properties: Mapping[str, Any]) -> str:
    """Returns a name that is the same for the same properties, and another one for others."""
    text = json.dumps(properties, sort_keys=True)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def stamped(prefix: str, time: datetime | None) -> str:
    """Returns a name with a time in UTC, now when None."""
    return f"{prefix}-{time or datetime.now(UTC):%Y%m%d-%H%M%S}"


def tagged(tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the property for tags; nothing where there are none, as tagging needs a permission of its own."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]} if tags else {}
