"""An endpoint's life, from creation to the last trace; `moto` plays AWS."""

from __future__ import annotations

import json

import pytest
from moto.sagemakerruntime.models import sagemakerruntime_backends
from tests.integration.sagemaker.conftest import ACCOUNT, OLD, REGION

from crossguard.deploy.sagemaker import (
    Asynchronous,
    BatchTransform,
    Endpoint,
    Realtime,
    TrainingJob,
    delete,
    invoke,
)
from crossguard.deploy.sagemaker.aws import Request, client, send
from crossguard.errors import DeployError
from crossguard.moderator import Moderator
from crossguard.wire.sagemaker import read, write


def traces() -> dict[str, int]:
    """How much AWS has of anything."""
    sagemaker = client("sagemaker")
    return {
        "models": len(sagemaker.list_models()["Models"]),
        "configurations": len(sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        "endpoints": len(sagemaker.list_endpoints()["Endpoints"]),
        "stacks": len(client("cloudformation").describe_stacks()["Stacks"]),
    }


# What moto does not know, it leaves out; `test_endpoint.py` holds these resources against AWS's schemas.
@pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")
@pytest.mark.parametrize(
    "capacity",
    [
        Realtime(instance_type=OLD),
        Realtime(instance_type=OLD, max_instances=4),
        Asynchronous(input="s3://bucket/in/", output="s3://bucket/out/", instance_type=OLD, max_instances=2),
    ],
    ids=["realtime", "scaled", "queue"],
)
def test_an_endpoint_comes_and_goes_without_a_trace(
    aws: None, endpoint: Endpoint, capacity: Realtime | Asynchronous
) -> None:
    endpoint = endpoint.model_copy(update={"capacity": capacity})
    assert endpoint.deploy() == "created"
    assert traces() == {"models": 1, "configurations": 1, "endpoints": 1, "stacks": 1}
    (entry,) = client("sagemaker").list_endpoints()["Endpoints"]  # moto gives it a name of its own
    assert entry["EndpointStatus"] == "InService"
    assert endpoint.deploy() == "unchanged"
    delete("hate")
    assert set(traces().values()) == {0}
    with pytest.raises(DeployError, match="no endpoint 'hate'"):
        delete("hate")


def test_posts_are_scored_by_name(aws: None, endpoint: Endpoint, tiny: Moderator) -> None:
    endpoint.deploy()
    posts = [{"text": "hello", "id": "a"}, {"image_base64": "AAAA", "id": "b"}]
    invocation = read(json.dumps({"instances": posts}), "application/json")
    reply = write(invocation.form, list(tiny.stream(invocation.posts)))
    queue = sagemakerruntime_backends[ACCOUNT][REGION].results_queue
    queue.append((reply.body, reply.content_type, "AllTraffic", ""))
    good, bad = invoke("hate", posts)
    assert good["probabilities"] == pytest.approx(tiny.score(text="hello").scores, abs=1e-5)
    assert bad["error"] == "image_not_an_image"


def test_a_refusal_names_the_request_and_the_reason(aws: None) -> None:
    with pytest.raises(DeployError, match=r"refused DeleteModel.*Could not find model"):
        send(client("sagemaker"), Request("DeleteModel", {"ModelName": "none"}))


def test_a_batch_transform_runs_and_leaves_no_model(aws: None, endpoint: Endpoint) -> None:
    job = BatchTransform(
        name="nightly", container=endpoint.container, input="s3://bucket/in/", output="s3://bucket/out/"
    )
    assert job.run() == "s3://bucket/out/"
    (entry,) = client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    assert entry["TransformJobName"].startswith("nightly-2")
    assert entry["TransformJobStatus"] == "Completed"
    assert traces()["models"] == 0


def training_job(endpoint: Endpoint) -> TrainingJob:
    return TrainingJob(
        name="clip-fusion",
        role=endpoint.container.role,
        image=endpoint.container.image,
        recipe="clip-fusion",
        channels={"train": "s3://bucket/mmhs/"},
        output="s3://bucket/models/",
    )


def test_a_training_job_tells_where_its_bundle_is(aws: None, endpoint: Endpoint) -> None:
    archive = training_job(endpoint).run()
    (entry,) = client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert archive == f"s3://bucket/models/{entry['TrainingJobName']}/output/model.tar.gz"
