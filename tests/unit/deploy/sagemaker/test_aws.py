"""How what AWS says becomes an answer, or an error with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, WaiterError

from crossguard.deploy.sagemaker import TrainingJob
from crossguard.deploy.sagemaker.aws import Request, UnfinishedError, client, run_job, send, wait
from crossguard.errors import DeployError


class Service:
    """A SageMaker whose jobs end as they are told to."""

    def __init__(self, described: dict[str, Any] | None = None, problem: Exception | None = None) -> None:
        self._described = described or {}
        self._problem = problem
        self.asked: list[Any] = []

    def create_training_job(self, **parameters: object) -> dict[str, Any]:
        self.asked.append(parameters["TrainingJobName"])
        return {}

    def get_waiter(self, name: str) -> Any:
        self.asked.append(name)
        return self

    def wait(self, **parameters: Any) -> None:
        self.asked.append(parameters["WaiterConfig"])
        if self._problem is not None:
            raise self._problem

    def describe_training_job(self, **_: object) -> dict[str, Any]:
        return self._described

    def delete_model(self, **_: object) -> dict[str, Any]:
        raise self._problem or AssertionError


def test_without_a_region_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DeployError, match="aws configure"):
        client("sagemaker")


def test_a_refusal_names_the_request_and_the_reason() -> None:
    error = ClientError({"Error": {"Code": "ValidationException", "Message": "Could not find model"}}, "DeleteModel")
    with pytest.raises(DeployError, match=r"AWS refused DeleteModel: .*Could not find model"):
        send(Service(problem=error), Request("DeleteModel", {"ModelName": "none"}))


def test_waiting_ends_in_time_and_otherwise_says_so() -> None:
    service = Service(problem=WaiterError("stack_create_complete", "Max attempts exceeded", {}))
    with pytest.raises(DeployError, match="did not come within 2 minutes"):
        wait(service, "stack_create_complete", {"StackName": "hate"}, minutes=2)
    assert service.asked == ["stack_create_complete", {"Delay": 15, "MaxAttempts": 8}]
    # A change that failed is over as well: whoever waited looks how it ended.
    wait(Service(problem=WaiterError("x", "Waiter encountered a terminal failure state", {})), "x", {}, minutes=0.1)


def test_a_job_that_is_done_is_told_as_aws_describes_it(training: TrainingJob) -> None:
    (create,) = training.requests()
    service = Service({"TrainingJobStatus": "Completed", "ModelArtifacts": "s3"})
    assert run_job(service, create, "TrainingJob", minutes=60)["ModelArtifacts"] == "s3"
    name = create.parameters["TrainingJobName"]
    assert service.asked == [name, "training_job_completed_or_stopped", {"Delay": 15, "MaxAttempts": 240}]


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ({"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"}, "Stopped.*MaxWaitTimeExceeded"),
        ({"TrainingJobStatus": "Failed", "FailureReason": "No table", "SecondaryStatus": "Failed"}, "Failed.*No table"),
        ({"TrainingJobStatus": "Failed"}, "Failed, not Completed: no reason given"),
    ],
)
def test_a_job_that_ended_otherwise_is_no_success(training: TrainingJob, described: dict[str, Any], said: str) -> None:
    (create,) = training.requests()
    with pytest.raises(DeployError, match=said):
        run_job(Service(described), create, "TrainingJob", minutes=1)


def test_a_job_is_named_at_its_start_and_where_nobody_can_wait_for_it_any_more(training: TrainingJob) -> None:
    (create,) = training.requests()
    see = f"aws sagemaker describe-training-job --training-job-name {create.parameters['TrainingJobName']}"
    told: list[str] = []
    lost = Service(problem=EndpointConnectionError(endpoint_url="https://api.sagemaker.aws"))
    with pytest.raises(UnfinishedError, match=f"Could not connect.* runs. See: {see}"):
        run_job(lost, create, "TrainingJob", 60, told.append)
    assert len(told) == 1
    assert see in told[0]
    late = Service(problem=WaiterError("training_job_completed_or_stopped", "Max attempts exceeded", {}))
    with pytest.raises(UnfinishedError, match=f"did not come within 60 minutes.* runs. See: {see}"):
        run_job(late, create, "TrainingJob", 60)
    with pytest.raises(UnfinishedError, match=f"is InProgress.* runs. See: {see}"):
        run_job(Service({"TrainingJobStatus": "InProgress"}), create, "TrainingJob", 60)
