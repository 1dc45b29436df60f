"""Least-privilege IAM policies, made from what is deployed.

Four documents: who may take on the role, what the role may do while it runs the container, what the person needs who
deploys, and what a program needs that calls the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from crossguard.deploy.sagemaker.capacity import Asynchronous, Serverless
from crossguard.deploy.sagemaker.endpoint import Endpoint
from crossguard.deploy.sagemaker.template import VARIANT
from crossguard.deploy.sagemaker.training_job import TrainingJob
from crossguard.deploy.sagemaker.transform import BatchTransform
from crossguard.errors import ConfigError, suggest

Deployed: TypeAlias = Endpoint | BatchTransform | TrainingJob
Policy: TypeAlias = dict[str, Any]

# What CloudFormation calls, for its caller, to create, update and delete each kind of resource.
ENDPOINT: Final = {
    "model": ("CreateModel", "DescribeModel", "DeleteModel"),
    "endpoint-config": ("CreateEndpointConfig", "DescribeEndpointConfig", "DeleteEndpointConfig"),
    "endpoint": ("CreateEndpoint", "DescribeEndpoint", "UpdateEndpoint", "DeleteEndpoint"),
}
TRANSFORM: Final = {
    "model": ("CreateModel", "DeleteModel"),
    "transform-job": ("CreateTransformJob", "DescribeTransformJob"),
}
TRAINING: Final = {"training-job": ("CreateTrainingJob", "DescribeTrainingJob")}
STACK: Final = ("CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "DescribeStackEvents", "GetTemplate")
SCALE: Final = (
    *("RegisterScalableTarget", "DeregisterScalableTarget", "DescribeScalableTargets"),
    *("PutScalingPolicy", "DeleteScalingPolicy", "DescribeScalingPolicies"),
)
ALARM: Final = ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms")
TAG: Final = ("AddTags", "DeleteTags", "ListTags")
# What SageMaker's manual lists for a role that runs containers.
PULL: Final = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
LOG: Final = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
METRICS: Final = {"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker", "/aws/sagemaker/*"]}}
NETWORK: Final = (
    *("CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface"),
    *("DeleteNetworkInterfacePermission", "DescribeNetworkInterfaces", "DescribeVpcs"),
    *("DescribeDhcpOptions", "DescribeSubnets", "DescribeSecurityGroups"),
)
ECR: Final = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)"
)


def policy_for(thing: Deployed, party: str) -> Policy:
    """Returns the policy of a party: `trust`, `execution`, `deployer` or `caller`.

    Raises:
        ConfigError: There is no such party, or nothing to call.
    """
    makers = {"trust": trust_policy, "execution": execution_policy, "deployer": deployer_policy}
    if party == "caller":
        if isinstance(thing, Endpoint):
            return caller_policy(thing)
        raise ConfigError(f"Only an endpoint has callers; a job has the parties {', '.join(makers)}.")
    if party not in makers:
        raise ConfigError(f"Unknown party '{party}'.{suggest(party, [*makers, 'caller'])}")
    return makers[party](thing)


def trust_policy(thing: Deployed) -> Policy:
    """Returns who may take on the role: SageMaker, for this account alone."""
    account = _role(thing).split(":")[4]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return _policy([statement])


def execution_policy(thing: Deployed) -> Policy:
    """Returns what the role needs: its image, its objects in S3, and its own logs and metrics."""
    reads, writes = _objects(thing)
    queue = thing.capacity if isinstance(thing, Endpoint) and isinstance(thing.capacity, Asynchronous) else None
    topics = list(queue.topics.values()) if queue else []
    attached = not isinstance(thing, TrainingJob) and thing.container.subnets
    statements = [
        _allow("ReadObjects", "s3", ["GetObject"], _object_arns(thing, reads)),
        _allow("WriteObjects", "s3", ["PutObject", "AbortMultipartUpload"], _object_arns(thing, writes)),
        *_listings(thing, [*reads, *writes]),
        _allow("SignInToRegistry", "ecr", ["GetAuthorizationToken"], ["*"]),
        _allow("PullImage", "ecr", PULL, [_repository(thing)]),
        _allow("WriteLogs", "logs", LOG, [_arn(thing, "logs", "log-group:/aws/sagemaker/*")]),
        _allow("PutMetrics", "cloudwatch", ["PutMetricData"], ["*"], METRICS),
        _allow("JoinNetwork", "ec2", NETWORK, ["*"] if attached else []),
        _allow("TellTopics", "sns", ["Publish"], topics),
    ]
    return _policy(statements)


def deployer_policy(thing: Deployed) -> Policy:
    """Returns what a person or pipeline needs to create, update and delete it, and to pass it its role."""
    kinds = ENDPOINT if isinstance(thing, Endpoint) else TRANSFORM if isinstance(thing, BatchTransform) else TRAINING
    tags = thing.tags if isinstance(thing, TrainingJob) else thing.container.tags
    manage = [
        _allow(
            f"Manage{kind.title().replace('-', '')}",
            "sagemaker",
            [*actions, *(TAG if tags else ())],
            [_arn(thing, "sagemaker", f"{kind}/{thing.name}{'' if kind == 'endpoint' else '-*'}")],
        )
        for kind, actions in kinds.items()
    ]
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    statements = [*manage, _allow("PassRole", "iam", ["PassRole"], [_role(thing)], passed)]
    if isinstance(thing, Endpoint):
        stack = _arn(thing, "cloudformation", f"stack/{thing.name}/*")
        configurations = [_arn(thing, "sagemaker", f"endpoint-config/{thing.name}-*")]
        # Creating an endpoint is an act on its configuration, too.
        statements += [
            _allow("ManageStack", "cloudformation", STACK, [stack]),
            _allow("UseConfiguration", "sagemaker", ["CreateEndpoint", "UpdateEndpoint"], configurations),
            *_scaling(thing),
        ]
    return _policy(statements)


def caller_policy(endpoint: Endpoint) -> Policy:
    """Returns what a program needs that sends posts to the endpoint, and nothing else."""
    resource = [_arn(endpoint, "sagemaker", f"endpoint/{endpoint.name}")]
    capacity = endpoint.capacity
    if not isinstance(capacity, Asynchronous):
        return _policy([_allow("Invoke", "sagemaker", ["InvokeEndpoint"], resource)])
    answers = [name for name in (capacity.output, capacity.failures) if name]
    return _policy(
        [
            _allow("Invoke", "sagemaker", ["InvokeEndpointAsync"], resource),
            _allow("PutRequests", "s3", ["PutObject"], _object_arns(endpoint, [capacity.input])),
            _allow("GetAnswers", "s3", ["GetObject"], _object_arns(endpoint, answers)),
        ]
    )


def _scaling(endpoint: Endpoint) -> list[Policy]:
    if isinstance(endpoint.capacity, Serverless) or not endpoint.capacity.scales:
        return []
    service, partition = "application-autoscaling", _role(endpoint).split(":")[1]
    alarms = [f"alarm:{endpoint.name}-*", f"alarm:TargetTracking-endpoint/{endpoint.name}/variant/{VARIANT}-*"]
    linked = f"role/aws-service-role/sagemaker.{service}.amazonaws.com/*"
    account = _role(endpoint).split(":")[4]
    named = {"StringEquals": {"iam:AWSServiceName": f"sagemaker.{service}.amazonaws.com"}}
    describe = [action for action in SCALE if action.startswith("Describe")]
    change = [action for action in SCALE if not action.startswith("Describe")]
    only = {"StringEquals": {f"{service}:service-namespace": "sagemaker"}}
    return [
        _allow("SeeScaling", service, describe, ["*"]),
        _allow("Scale", service, change, ["*"], only),
        _allow("ManageAlarms", "cloudwatch", ALARM, [_arn(endpoint, "cloudwatch", name) for name in alarms]),
        _allow(
            "LetScalingAct", "iam", ["CreateServiceLinkedRole"], [f"arn:{partition}:iam::{account}:{linked}"], named
        ),
    ]


def _objects(thing: Deployed) -> tuple[list[str], list[str]]:
    """Returns what the role reads and writes in S3; what is no archive is a prefix."""
    reads: list[str | None]
    writes: list[str | None]
    if isinstance(thing, TrainingJob):
        reads = [*thing.channels.values(), thing.source, thing.checkpoints]
        writes = [thing.output, thing.checkpoints]
    elif isinstance(thing, BatchTransform):
        reads, writes = [thing.container.model_data, thing.input], [thing.output]
    elif isinstance(thing.capacity, Asynchronous):
        reads = [thing.container.model_data, thing.capacity.input]
        writes = [thing.capacity.output, thing.capacity.failures]
    else:
        reads, writes = [thing.container.model_data], []
    return [name for name in reads if name], [name for name in writes if name]


def _object_arns(thing: Deployed, objects: Iterable[str]) -> list[str]:
    partition = _role(thing).split(":")[1]
    names = (name.removeprefix("s3://") for name in objects)
    return sorted({f"arn:{partition}:s3:::{n if n.endswith('.tar.gz') else n.rstrip('/') + '/*'}" for n in names})


def _listings(thing: Deployed, objects: Iterable[str]) -> list[Policy]:
    """Returns a statement per bucket, as SageMaker lists a prefix before it reads it."""
    partition = _role(thing).split(":")[1]
    prefixes: dict[str, set[str]] = {}
    for name in objects:
        bucket, _, key = name.removeprefix("s3://").partition("/")
        prefixes.setdefault(bucket, set()).add(key if key.endswith(".tar.gz") else key.rstrip("/") + "*")
    return [
        _allow(
            f"ListBucket{number}",
            "s3",
            ["ListBucket"],
            [f"arn:{partition}:s3:::{bucket}"],
            {"StringLike": {"s3:prefix": sorted(keys)}},
        )
        for number, (bucket, keys) in enumerate(sorted(prefixes.items()))
    ]


def _role(thing: Deployed) -> str:
    return thing.role if isinstance(thing, TrainingJob) else thing.container.role


def _image(thing: Deployed) -> re.Match[str]:
    image = thing.image if isinstance(thing, TrainingJob) else thing.container.image
    match = ECR.match(image)
    if match is None:
        raise ConfigError(f"The image must lie in ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME), not '{image}'.")
    return match


def _repository(thing: Deployed) -> str:
    image, partition = _image(thing), _role(thing).split(":")[1]
    return f"arn:{partition}:ecr:{image['region']}:{image['account']}:repository/{image['repository']}"


def _arn(thing: Deployed, service: str, resource: str) -> str:
    """Returns the ARN of a resource in the account of the role and the region of the image."""
    _, partition, _, _, account, *_ = _role(thing).split(":")
    return f"arn:{partition}:{service}:{_image(thing)['region']}:{account}:{resource}"


def _allow(
    sid: str, service: str, actions: Sequence[str], resources: Sequence[str], condition: Policy | None = None
) -> Policy:
    named = [f"{service}:{action}" for action in actions]
    statement = {"Sid": sid, "Effect": "Allow", "Action": named, "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement


def _policy(statements: Iterable[Policy]) -> Policy:
    """Returns a document; a statement about no resource is left out."""
    kept = [entry for entry in statements if "Resource" not in entry or entry["Resource"]]
    return {"Version": "2012-10-17", "Statement": kept}
