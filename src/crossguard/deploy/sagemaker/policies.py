"""Least-privilege IAM policies, made from what is deployed: `policies.yaml`, filled in.

Four documents: who may take on the role, what the role may do while it runs the container, what the person needs who
deploys, and what a program needs that calls the endpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from crossguard.deploy.sagemaker.capacity import Asynchronous
from crossguard.deploy.sagemaker.documents import document
from crossguard.deploy.sagemaker.endpoint import VARIANT, Endpoint
from crossguard.deploy.sagemaker.jobs import BatchTransform, TrainingJob
from crossguard.deploy.sagemaker.spec import Deployed
from crossguard.errors import ConfigError

TAG: Final = ("sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags")
ECR: Final = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)"
)


def policy_for(thing: Deployed, party: str) -> dict[str, Any]:
    """Returns the policy of a party: `trust`, `execution`, `deployer` or `caller`.

    Raises:
        ConfigError: There is nothing to call, or the image does not lie in ECR.
    """
    if party == "caller" and not isinstance(thing, Endpoint):
        raise ConfigError("Only an endpoint has callers; a job has the parties trust, execution, deployer.")
    statements = document("policies", _values(thing))[party]
    kept = [entry for entry in statements if "Resource" not in entry or entry["Resource"]]
    # A statement without an effect allows.
    allowed = [{"Sid": entry["Sid"], "Effect": "Allow", **entry} if "Sid" in entry else entry for entry in kept]
    return {"Version": "2012-10-17", "Statement": allowed}


def _values(thing: Deployed) -> dict[str, Any]:
    """Returns what the policies need to know of a thing that is deployed."""
    owner = thing if isinstance(thing, TrainingJob) else thing.container
    image = ECR.match(owner.image)
    if image is None:
        raise ConfigError(
            f"The image must lie in ECR (ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME), not '{owner.image}'."
        )
    _, partition, _, _, account, *_ = owner.role.split(":")
    capacity = thing.capacity if isinstance(thing, Endpoint) else None
    queue = capacity if isinstance(capacity, Asynchronous) else None
    reads, writes = _objects(thing)
    services = ("sagemaker", "logs", "cloudwatch", "cloudformation")
    return {
        **{f"arn_{service}": f"arn:{partition}:{service}:{image['region']}:{account}" for service in services},
        "name": thing.name,
        "role": owner.role,
        "partition": partition,
        "account": account,
        "region": image["region"],
        "image_account": image["account"],
        "repository": image["repository"],
        "variant": VARIANT,
        "endpoint": isinstance(thing, Endpoint),
        "transform": isinstance(thing, BatchTransform),
        "training": isinstance(thing, TrainingJob),
        "attached": not isinstance(thing, TrainingJob) and bool(thing.container.subnets),
        "scales": capacity is not None and capacity.scales,
        "queued": queue is not None,
        "answers_at_once": queue is None,
        "tag": list(TAG if owner.tags else ()),
        "topics": list(queue.topics.values()) if queue else [],
        "requests": _object_arns(partition, [queue.input] if queue else []),
        "answers": _object_arns(partition, [queue.output, queue.failures] if queue else []),
        "reads": _object_arns(partition, reads),
        "writes": _object_arns(partition, writes),
        "listings": _listings(partition, [*reads, *writes]),
    }


def _objects(thing: Deployed) -> tuple[list[str | None], list[str | None]]:
    """Returns what the role reads and writes in S3; what is no archive is how keys begin."""
    if isinstance(thing, TrainingJob):
        return [*thing.channels.values(), thing.source, thing.checkpoints], [thing.output, thing.checkpoints]
    if isinstance(thing, BatchTransform):
        return [thing.container.model_data, thing.input], [thing.output]
    if isinstance(thing.capacity, Asynchronous):
        return [thing.container.model_data, thing.capacity.input], [thing.capacity.output, thing.capacity.failures]
    return [thing.container.model_data], []


def _object_arns(partition: str, objects: Iterable[str | None]) -> list[str]:
    keys = (_split(name) for name in filter(None, objects))
    return sorted({f"arn:{partition}:s3:::{bucket}/{_pattern(key)}" for bucket, key in keys})


def _listings(partition: str, objects: Iterable[str | None]) -> list[dict[str, Any]]:
    """Returns a statement per bucket, as SageMaker lists a prefix before it reads it."""
    prefixes: dict[str, set[str]] = {}
    for bucket, key in map(_split, filter(None, objects)):
        prefixes.setdefault(bucket, set()).add(_pattern(key.rstrip("/")))
    return [
        {
            "Sid": f"ListBucket{number}",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [f"arn:{partition}:s3:::{bucket}"],
            "Condition": {"StringLike": {"s3:prefix": sorted(keys)}},
        }
        for number, (bucket, keys) in enumerate(sorted(prefixes.items()))
    ]


def _split(name: str) -> tuple[str, str]:
    """Returns the bucket and the key of an address."""
    bucket, _, key = name.removeprefix("s3://").partition("/")
    return bucket, key


def _pattern(key: str) -> str:
    """Returns a pattern for what SageMaker takes: an archive, or all objects whose keys begin so."""
    return key if key.endswith(".tar.gz") else f"{key}*"
