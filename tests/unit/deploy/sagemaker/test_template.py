"""Templates are held against AWS's own schemas of each resource."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.aws_models import lint_problems
from tests.unit.deploy.sagemaker.conftest import IMAGE, ROLE

from crossguard.deploy.sagemaker import Asynchronous, Container, Endpoint, Realtime, Serverless
from crossguard.deploy.sagemaker.template import unscaled

CAPACITIES = [
    Realtime(),
    Realtime(instance_type="ml.g5.xlarge", instances=2, max_instances=8, invocations_per_minute=1200),
    Serverless(),
    Serverless(memory_mb=6144, max_concurrency=50, provisioned_concurrency=2),
    Asynchronous(input="s3://bucket/requests/", output="s3://bucket/answers/"),
    Asynchronous(
        input="s3://bucket/requests/",
        output="s3://bucket/answers/",
        failures="s3://bucket/failures/",
        success_topic="arn:aws:sns:eu-central-1:123456789012:done",
        error_topic="arn:aws:sns:eu-central-1:123456789012:failed",
        instances=1,
        max_instances=3,
    ),
]


CONTAINERS = [
    Container(image=IMAGE, model_data="s3://bucket/models/model.tar.gz", role=ROLE),
    Container(
        image="763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        model_data="s3://bucket/model.tar.gz",
        role=ROLE,
        image_kind="pytorch",
        policy="benchmark",
        environment={"CROSSGUARD_THREADS": "2"},
        subnets=("subnet-0a1b2c3d",),
        security_groups=("sg-0a1b2c3d",),
        tags={"team": "trust and safety"},
    ),
]


def properties(endpoint: Endpoint, resource: str) -> Any:
    return endpoint.template()["Resources"][resource]["Properties"]


@pytest.mark.parametrize("container", CONTAINERS, ids=["crossguard", "pytorch"])
@pytest.mark.parametrize("capacity", CAPACITIES, ids=lambda capacity: str(capacity.kind))
def test_every_template_is_one_that_aws_describes(
    container: Container, capacity: Realtime | Serverless | Asynchronous
) -> None:
    template = Endpoint(name="hate-2026", container=container, capacity=capacity).template()
    assert lint_problems(template) == []
    assert lint_problems(unscaled(template)) == []


def test_the_comparison_can_fail(endpoint: Endpoint) -> None:
    template = endpoint.template()
    template["Resources"]["Endpoint"]["Properties"]["EndpointConfig"] = "x"
    assert any("EndpointConfig" in problem for problem in lint_problems(template))


def test_the_container_is_told_what_to_serve(endpoint: Endpoint) -> None:
    model = properties(endpoint, "Model")
    assert model["PrimaryContainer"] == {
        "Image": IMAGE,
        "ModelDataUrl": "s3://bucket/models/model.tar.gz",
        "Environment": {
            "CROSSGUARD_HOST": "0.0.0.0",  # noqa: S104 - in a container
            "CROSSGUARD_INSECURE": "true",
            "CROSSGUARD_MODEL": "/opt/ml/model",
            "CROSSGUARD_POLICY": "default",
        },
    }
    assert model["EnableNetworkIsolation"] is True
    (variant,) = properties(endpoint, "Configuration")["ProductionVariants"]
    assert variant["ModelName"] == {"Fn::GetAtt": ["Model", "ModelName"]}


def test_names_change_with_what_is_deployed_and_only_then(endpoint: Endpoint, container: Container) -> None:
    assert Endpoint(name="hate", container=container.model_copy()).template() == endpoint.template()
    other = Endpoint(name="hate", container=container.model_copy(update={"policy": "benchmark"}))
    assert properties(other, "Model")["ModelName"] != properties(endpoint, "Model")["ModelName"]
    name = "EndpointConfigName"
    assert properties(other, "Configuration")[name] != properties(endpoint, "Configuration")[name]
    bigger = Endpoint(name="hate", container=container, capacity=Realtime(instances=2))
    assert properties(bigger, "Model") == properties(endpoint, "Model")
    assert properties(bigger, "Configuration")[name] != properties(endpoint, "Configuration")[name]


def test_serverless_has_neither_isolation_nor_network(container: Container) -> None:
    attached = container.model_copy(update={"subnets": ("subnet-1",), "security_groups": ("sg-1",)})
    model = properties(Endpoint(name="hate", container=attached, capacity=Serverless()), "Model")
    assert model["EnableNetworkIsolation"] is False
    assert "VpcConfig" not in model
    assert "VpcConfig" in properties(Endpoint(name="hate", container=attached), "Model")


def test_scaling_follows_load_or_queue(container: Container) -> None:
    by_load = Endpoint(name="hate", container=container, capacity=Realtime(instances=2, max_instances=4))
    target = properties(by_load, "Target")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert target["ResourceId"] == "endpoint/hate/variant/AllTraffic"
    queue = Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", max_instances=2)
    by_queue = Endpoint(name="hate", container=container, capacity=queue)
    assert properties(by_queue, "Backlog")["AlarmActions"] == [{"Ref": "Waking"}]
    assert not {"Target", "Backlog"} & set(unscaled(by_queue.template())["Resources"])
