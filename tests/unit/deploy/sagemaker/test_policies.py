"""The generated policies allow what is sent, nothing that AWS does not have, and nothing beyond."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

import boto3
import pytest
from moto import mock_aws
from tests.support.aws_models import operations
from tests.unit.deploy.sagemaker.conftest import ROLE

from crossguard.deploy.sagemaker import Asynchronous, BatchTransform, Container, Endpoint, Realtime, TrainingJob
from crossguard.deploy.sagemaker.policies import policy_for
from crossguard.deploy.sagemaker.spec import Deployed
from crossguard.errors import ConfigError

HERE = "eu-central-1:123456789012"
QUEUE = Asynchronous(
    input="s3://bucket/requests/",
    output="s3://answers/done/",
    error_topic=f"arn:aws:sns:{HERE}:failed",
)


@pytest.fixture(params=["realtime", "scaled", "queue", "transform", "training"])
def thing(
    request: pytest.FixtureRequest, endpoint: Endpoint, transform: BatchTransform, training: TrainingJob
) -> Deployed:
    every: dict[str, Deployed] = {
        "realtime": endpoint,
        "scaled": endpoint.model_copy(update={"capacity": Realtime(max_instances=4)}),
        "queue": endpoint.model_copy(update={"capacity": QUEUE}),
        "transform": transform,
        "training": training,
    }
    return every[request.param]


def allows(policy: dict[str, Any], action: str, resource: str) -> bool:
    return any(
        action in statement["Action"]
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in policy["Statement"]
    )


PHYSICAL = {
    "AWS::SageMaker::Model": ("model", "ModelName"),
    "AWS::SageMaker::EndpointConfig": ("endpoint-config", "EndpointConfigName"),
    "AWS::SageMaker::Endpoint": ("endpoint", "EndpointName"),
}


def sent(thing: Deployed) -> list[tuple[str, str]]:
    """Action and resource of what is sent, by us or by CloudFormation for us."""
    arn = f"arn:aws:sagemaker:{HERE}:"
    if not isinstance(thing, Endpoint):
        kind = "transform-job" if isinstance(thing, BatchTransform) else "training-job"
        named = {"CreateModel": ("model", "ModelName")}
        found = []
        for request in thing.requests():
            of, key = named.get(request.operation, (kind, f"{request.operation.removeprefix('Create')}Name"))
            found.append((f"sagemaker:{request.operation}", f"{arn}{of}/{request.parameters[key]}"))
        return found
    found = [
        (f"cloudformation:{action}", f"arn:aws:cloudformation:{HERE}:stack/hate/0a1b")
        for action in ("CreateStack", "UpdateStack", "DeleteStack", "DescribeStacks", "GetTemplate")
    ]
    for resource in thing.template()["Resources"].values():
        if resource["Type"] in PHYSICAL:
            kind, key = PHYSICAL[resource["Type"]]
            name = resource["Type"].rpartition(":")[2]
            for verb in ("Create", "Describe", "Delete"):
                found.append((f"sagemaker:{verb}{name}", f"{arn}{kind}/{resource['Properties'][key]}"))
        elif "Scaling" in resource["Type"]:
            verb = "Register" if resource["Type"].endswith("Target") else "Put"
            found.append((f"application-autoscaling:{verb}{resource['Type'].rpartition(':')[2]}", "*"))
        else:
            alarm = f"arn:aws:cloudwatch:{HERE}:alarm:{resource['Properties']['AlarmName']}"
            found += [("cloudwatch:PutMetricAlarm", alarm), ("cloudwatch:DeleteAlarms", alarm)]
    return found


def test_the_deployer_may_send_every_request_that_is_sent(thing: Deployed) -> None:
    policy = policy_for(thing, "deployer")
    for action, resource in sent(thing):
        assert allows(policy, action, resource), (action, resource)
    assert allows(policy, "iam:PassRole", ROLE)


def test_the_deployer_may_not_touch_the_neighbours(thing: Deployed) -> None:
    policy = policy_for(thing, "deployer")
    for operation, other in [
        ("DeleteEndpoint", "endpoint/other"),
        ("DeleteEndpoint", f"endpoint/{thing.name}-canary"),
        ("DeleteModel", "model/other-0123456789"),
        ("CreateNotebookInstance", "notebook-instance/any"),
    ]:
        assert not allows(policy, f"sagemaker:{operation}", f"arn:aws:sagemaker:{HERE}:{other}")
    assert not allows(policy, "iam:PassRole", "arn:aws:iam::123456789012:role/admin")


def test_every_action_is_one_that_aws_has(thing: Deployed) -> None:
    # Rights that guard a request of another name, or that no request has.
    others = {"iam:PassRole", "sts:AssumeRole", "sns:Publish", "s3:GetObject", "s3:PutObject", "s3:ListBucket"}
    others |= {"s3:AbortMultipartUpload"}
    for policy in (policy_for(thing, "deployer"), policy_for(thing, "execution")):
        for statement in policy["Statement"]:
            for action in statement["Action"]:
                service, _, name = action.partition(":")
                assert action in others or name in operations(service), action
                assert "*" not in action


def test_aws_reads_the_policies(thing: Deployed) -> None:
    """moto checks the grammar of policies as IAM does."""
    with mock_aws():
        iam = boto3.client("iam", aws_access_key_id="testing", aws_secret_access_key="testing")  # noqa: S106
        for name, policy in {
            "deployer": policy_for(thing, "deployer"),
            "execution": policy_for(thing, "execution"),
        }.items():
            iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
        iam.create_role(RoleName="crossguard", AssumeRolePolicyDocument=json.dumps(policy_for(thing, "trust")))
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
            iam.create_policy(PolicyName="wrong", PolicyDocument=json.dumps({"Version": "2012-10-17"}))


def test_the_role_reads_its_archive_and_nothing_else(endpoint: Endpoint) -> None:
    policy = policy_for(endpoint, "execution")
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::bucket/models/model.tar.gz")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::bucket/models/other.tar.gz")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::bucket/models/model.tar.gz")
    assert allows(policy, "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/crossguard")
    assert not allows(policy, "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/other")


def test_the_role_writes_where_the_results_go(
    endpoint: Endpoint, transform: BatchTransform, training: TrainingJob
) -> None:
    queue = policy_for(endpoint.model_copy(update={"capacity": QUEUE}), "execution")
    assert allows(queue, "s3:GetObject", "arn:aws:s3:::bucket/requests/a.json")
    assert allows(queue, "s3:PutObject", "arn:aws:s3:::answers/done/a.out")
    assert allows(queue, "sns:Publish", f"arn:aws:sns:{HERE}:failed")
    batch = policy_for(transform, "execution")
    assert allows(batch, "s3:GetObject", "arn:aws:s3:::bucket/in/posts.jsonl")
    assert not allows(batch, "s3:PutObject", "arn:aws:s3:::bucket/in/posts.jsonl")
    job = policy_for(training, "execution")
    for action in ("s3:GetObject", "s3:PutObject"):
        assert allows(job, action, "arn:aws:s3:::bucket/checkpoints/run-1/last.pt")
    assert not allows(job, "s3:PutObject", "arn:aws:s3:::bucket/mmhs/train.jsonl")


def test_the_role_reads_a_channel_that_is_one_file(training: TrainingJob) -> None:
    """As SageMaker does, which takes all objects whose names begin with a prefix."""
    channels = {"train": "s3://bucket/mmhs.parquet", "recipe": "s3://recipes"}
    job = policy_for(training.model_copy(update={"channels": channels}), "execution")
    assert allows(job, "s3:GetObject", "arn:aws:s3:::bucket/mmhs.parquet")
    assert allows(job, "s3:GetObject", "arn:aws:s3:::recipes/mine.yaml")


def test_buckets_are_listed_under_their_prefixes_only(transform: BatchTransform) -> None:
    (listing,) = [
        entry for entry in policy_for(transform, "execution")["Statement"] if entry["Sid"].startswith("ListBucket")
    ]
    assert listing["Resource"] == ["arn:aws:s3:::bucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["in*", "models/model.tar.gz", "out*"]}}


def test_only_sagemaker_for_this_account_takes_on_the_role(endpoint: Endpoint) -> None:
    (statement,) = policy_for(endpoint, "trust")["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_a_caller_may_only_invoke(endpoint: Endpoint) -> None:
    (statement,) = policy_for(endpoint, "caller")["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        ["sagemaker:InvokeEndpoint"],
        [f"arn:aws:sagemaker:{HERE}:endpoint/hate"],
    )
    queued = policy_for(endpoint.model_copy(update={"capacity": QUEUE}), "caller")
    assert allows(queued, "sagemaker:InvokeEndpointAsync", f"arn:aws:sagemaker:{HERE}:endpoint/hate")
    assert allows(queued, "s3:PutObject", "arn:aws:s3:::bucket/requests/a.json")
    assert allows(queued, "s3:GetObject", "arn:aws:s3:::answers/done/a.out")


def test_tags_and_networks_ask_for_more(container: Container) -> None:
    tagged = Endpoint(name="hate", container=container.model_copy(update={"tags": {"team": "safety"}}))
    assert allows(policy_for(tagged, "deployer"), "sagemaker:AddTags", f"arn:aws:sagemaker:{HERE}:endpoint/hate")
    plain = Endpoint(name="hate", container=container)
    assert "AddTags" not in json.dumps(policy_for(plain, "deployer"))
    attached = container.model_copy(update={"subnets": ("subnet-1",), "security_groups": ("sg-1",)})
    assert allows(policy_for(Endpoint(name="hate", container=attached), "execution"), "ec2:CreateNetworkInterface", "*")
    assert "ec2" not in json.dumps(policy_for(plain, "execution"))


def test_an_image_outside_ecr_is_told(container: Container) -> None:
    elsewhere = container.model_copy(update={"image": "docker.io/crossguard:1.0"})
    with pytest.raises(ConfigError, match="must lie in ECR"):
        policy_for(Endpoint(name="hate", container=elsewhere), "execution")
