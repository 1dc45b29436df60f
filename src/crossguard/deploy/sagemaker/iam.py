"""Least-privilege IAM policies, generated from what is deployed: no action and no resource that its requests lack.

Three parties: the person who deploys, the role that SageMaker takes on while it runs the container, and the program
that calls the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from crossguard.deploy.sagemaker.calls import Call
from crossguard.deploy.sagemaker.capacity import SCALING, Asynchronous
from crossguard.deploy.sagemaker.endpoint import Endpoint, Running, describing
from crossguard.deploy.sagemaker.job import TrainingJob
from crossguard.deploy.sagemaker.model import VARIANT
from crossguard.deploy.sagemaker.place import Place
from crossguard.deploy.sagemaker.transform import BatchTransform
from crossguard.errors import ConfigError, suggest

Deployed: TypeAlias = Endpoint | BatchTransform | TrainingJob
Policy: TypeAlias = dict[str, Any]

# The resource type in the ARNs of an operation, by what the operation's name ends in.
_RESOURCES: Final = {
    "Model": ("model",),
    "EndpointConfig": ("endpoint-config",),
    "Endpoint": ("endpoint", "endpoint-config"),
    "TransformJob": ("transform-job",),
    "TrainingJob": ("training-job",),
}


# What SageMaker's manual lists for a role that runs containers.
PULL: Final = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
METRICS: Final = {"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker", "/aws/sagemaker/*"]}}


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
    same = {"StringEquals": {"aws:SourceAccount": _place(thing).account}}
    principal = {"Service": "sagemaker.amazonaws.com"}
    return _policy([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": same}])


def execution_policy(thing: Deployed) -> Policy:
    """Returns what the role needs: its image, its objects in S3, and its own logs and metrics."""
    place = _place(thing)
    reads, writes = _objects(thing)
    logs = place.arn("logs", "log-group:/aws/sagemaker/*")
    statements = [
        _allow("ReadObjects", ["s3:GetObject"], _arns(place, reads)),
        _allow("WriteObjects", ["s3:PutObject", "s3:AbortMultipartUpload"], _arns(place, writes)),
        *_listings(place, [*reads, *writes]),
        _allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("PullImage", PULL, [place.repository]),
        _allow("WriteLogs", LOG, [logs]),
        _allow("PutMetrics", ["cloudwatch:PutMetricData"], ["*"], METRICS),
        *_network(thing),
        _allow("TellTopics", ["sns:Publish"], _topics(thing)),
    ]
    return _policy(statement for statement in statements if statement["Resource"])


def deployer_policy(thing: Deployed) -> Policy:
    """Returns what a person or pipeline needs to create, update and delete it, and to pass it its role."""
    place = _place(thing)
    calls = _calls(thing)
    scaling = sorted({call.operation for call in calls if call.service == SCALING})
    managed = [operation for operation in scaling if not operation.startswith("Describe")]
    described = [operation for operation in scaling if operation.startswith("Describe")]
    statements = [
        *_requests(place, thing.name, calls),
        _allow("PassRole", ["iam:PassRole"], [_role(thing)], _equal("iam:PassedToService", "sagemaker.amazonaws.com")),
        _allow("SeeScaling", [f"{SCALING}:{operation}" for operation in described], ["*"]),
    ]
    if managed:
        scope = _equal(f"{SCALING}:service-namespace", "sagemaker")
        statements += [
            _allow("Scale", [f"{SCALING}:{operation}" for operation in managed], ["*"], scope),
            _allow(
                "ManageAlarms",
                ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"],
                [
                    place.arn("cloudwatch", f"alarm:{thing.name}-*"),
                    place.arn("cloudwatch", f"alarm:TargetTracking-endpoint/{thing.name}/variant/{VARIANT}-*"),
                ],
            ),
            _allow(
                "LetScalingAct",
                ["iam:CreateServiceLinkedRole"],
                [
                    f"arn:{place.partition}:iam::{place.account}:role/aws-service-role/sagemaker.{SCALING}.amazonaws.com/*"
                ],
                _equal("iam:AWSServiceName", f"sagemaker.{SCALING}.amazonaws.com"),
            ),
        ]
    return _policy(statement for statement in statements if statement["Action"])


def caller_policy(endpoint: Endpoint) -> Policy:
    """Returns what a program needs that sends posts to the endpoint, and nothing else."""
    place = _place(endpoint)
    resource = [place.arn("sagemaker", f"endpoint/{endpoint.name}")]
    if not isinstance(endpoint.capacity, Asynchronous):
        return _policy([_allow("Invoke", ["sagemaker:InvokeEndpoint"], resource)])
    answers = [name for name in (endpoint.capacity.output, endpoint.capacity.failures) if name]
    return _policy(
        [
            _allow("Invoke", ["sagemaker:InvokeEndpointAsync"], resource),
            _allow("PutRequests", ["s3:PutObject"], _arns(place, [endpoint.capacity.input])),
            _allow("GetAnswers", ["s3:GetObject"], _arns(place, answers)),
        ]
    )


def _calls(thing: Deployed) -> list[Call]:
    """Returns every request that creating, updating and deleting sends."""
    if not isinstance(thing, Endpoint):
        return [step for step in thing.steps() if isinstance(step, Call)]
    managed = bool(thing.capacity.scaling(thing.name))
    running = Running(thing.name, "InService", "*", ("*",), managed)
    steps = [*thing.steps(), *thing.steps(running), *running.steps_to_delete()]
    return [*describing(thing.name), *(step for step in steps if isinstance(step, Call))]


def _requests(place: Place, name: str, calls: Sequence[Call]) -> list[Policy]:
    """Returns a statement for each kind of resource, with the operations on it."""
    actions: dict[tuple[str, ...], set[str]] = {}
    for call in calls:
        if call.service == "sagemaker":
            kind = re.sub("^(Create|Describe|Update|Delete)", "", call.operation)
            actions.setdefault(_RESOURCES[kind], set()).add(f"sagemaker:{call.operation}")
            if "Tags" in call.parameters:
                actions[_RESOURCES[kind]].add("sagemaker:AddTags")
    return [
        _allow(
            "Manage" + "And".join(kind.title().replace("-", "") for kind in kinds),
            sorted(names),
            [place.arn("sagemaker", f"{kind}/{name}{'' if kind == 'endpoint' else '-*'}") for kind in kinds],
        )
        for kinds, names in actions.items()
    ]


def _objects(thing: Deployed) -> tuple[list[str], list[str]]:
    """Returns the S3 places that the role reads and writes; a place that is no archive is a prefix."""
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
    return [place for place in reads if place], [place for place in writes if place]


def _arns(place: Place, objects: Iterable[str]) -> list[str]:
    names = (name.removeprefix("s3://") for name in objects)
    return sorted({f"arn:{place.partition}:s3:::{n if n.endswith('.tar.gz') else n.rstrip('/') + '/*'}" for n in names})


def _listings(place: Place, objects: Iterable[str]) -> list[Policy]:
    """Returns a statement per bucket, as SageMaker lists a prefix before it reads it."""
    prefixes: dict[str, set[str]] = {}
    for name in objects:
        bucket, _, key = name.removeprefix("s3://").partition("/")
        prefixes.setdefault(bucket, set()).add(key if key.endswith(".tar.gz") else key.rstrip("/") + "*")
    return [
        _allow(
            f"ListBucket{number}",
            ["s3:ListBucket"],
            [f"arn:{place.partition}:s3:::{bucket}"],
            {"StringLike": {"s3:prefix": sorted(keys)}},
        )
        for number, (bucket, keys) in enumerate(sorted(prefixes.items()))
    ]


def _network(thing: Deployed) -> list[Policy]:
    if isinstance(thing, TrainingJob) or not thing.container.subnets:
        return []
    actions = ["CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface"]
    actions += ["DeleteNetworkInterfacePermission", "DescribeNetworkInterfaces", "DescribeVpcs"]
    actions += ["DescribeDhcpOptions", "DescribeSubnets", "DescribeSecurityGroups"]
    return [_allow("JoinNetwork", [f"ec2:{action}" for action in actions], ["*"])]


def _topics(thing: Deployed) -> list[str]:
    if not isinstance(thing, Endpoint) or not isinstance(thing.capacity, Asynchronous):
        return []
    return [topic for topic in (thing.capacity.success_topic, thing.capacity.error_topic) if topic]


def _role(thing: Deployed) -> str:
    return thing.role if isinstance(thing, TrainingJob) else thing.container.role


def _place(thing: Deployed) -> Place:
    return Place.of(_role(thing), thing.image if isinstance(thing, TrainingJob) else thing.container.image)


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str], condition: Policy | None = None) -> Policy:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement


def _equal(key: str, value: str) -> Policy:
    return {"StringEquals": {key: value}}


def _policy(statements: Iterable[Policy]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}
