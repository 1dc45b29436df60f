"""boto3, the one SDK here: its requests follow the services' own models, which outlive each major `sagemaker` SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from crossguard.errors import DeployError, needs_extra

POLL_SECONDS: Final = 15
ENDED: Final = ("Completed", "Failed", "Stopped")


class UnfinishedError(DeployError):
    """Nobody waits any more for a job that goes on."""


class AwsSession(Protocol):
    """What is needed of a `boto3.Session`."""

    def client(self, service_name: str) -> Any:
        """Returns a client of a service."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as data, so that it can be printed and tested before it is sent."""

    operation: str  # as the API names it, such as `CreateModel`; the IAM action has the same name
    parameters: Mapping[str, Any]


def client(service: str, session: AwsSession | None = None) -> Any:
    """Returns a client of a service, of the machine's default session when None.

    Raises:
        DeployError: Region or credentials are not set.
    """
    with needs_extra("Talking to AWS", "sagemaker"):
        import boto3
        from botocore.exceptions import BotoCoreError
    try:
        return (session or boto3.Session()).client(service)
    except BotoCoreError as error:
        raise DeployError(f"{error} Set AWS_DEFAULT_REGION and credentials, or run: aws configure") from error


def send(service: Any, request: Request) -> dict[str, Any]:
    """Sends a request and returns the reply.

    Raises:
        DeployError: AWS refused it; names the request and AWS's reason.
    """
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        reply: dict[str, Any] = getattr(service, xform_name(request.operation))(**request.parameters)
    except (BotoCoreError, ClientError) as error:
        raise DeployError(f"AWS refused {request.operation}: {error}") from error
    return reply


def wait(service: Any, waiter: str, parameters: Mapping[str, Any], minutes: float) -> None:
    """Waits with one of boto3's waiters, however what is waited for ends; the caller looks how it did.

    Raises:
        DeployError: It had not ended in time, or AWS cannot be asked any more.
    """
    from botocore.exceptions import BotoCoreError, WaiterError

    attempts = max(1, round(minutes * 60 / POLL_SECONDS))
    try:
        service.get_waiter(waiter).wait(**parameters, WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": attempts})
    except WaiterError as error:
        if "Max attempts exceeded" in str(error):
            raise DeployError(f"{waiter} of {dict(parameters)} did not come within {minutes:g} minutes.") from error
    except BotoCoreError as error:
        raise DeployError(f"Waiting for {waiter} of {dict(parameters)} failed: {error}") from error


def run_job(
    service: Any, create: Request, kind: str, minutes: float, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Starts a `TransformJob` or `TrainingJob`, tells its name, waits for its end and returns what AWS says about it.

    Raises:
        UnfinishedError: The job had not ended in time, or AWS cannot be asked any more; it goes on.
        DeployError: AWS refused a request, or the job failed or was stopped; names AWS's reason.
    """
    from botocore import xform_name

    name = create.parameters[f"{kind}Name"]
    send(service, create)
    option = xform_name(kind, "-")
    runs = f"The job {name} runs. See: aws sagemaker describe-{option} --{option}-name {name}"
    if say is not None:
        say(runs)
    try:
        wait(service, f"{xform_name(kind)}_completed_or_stopped", {f"{kind}Name": name}, minutes)
        reply = send(service, Request(f"Describe{kind}", {f"{kind}Name": name}))
    except DeployError as error:
        raise UnfinishedError(f"{error} {runs}") from error
    status = reply[f"{kind}Status"]
    if status not in ENDED:
        raise UnfinishedError(f"The job is {status}, and nobody waits for it any more. {runs}")
    if status != "Completed":
        reason = reply.get("FailureReason") or reply.get("SecondaryStatus") or "no reason given"
        raise DeployError(f"The job ended as {status}, not Completed: {reason}")
    return reply
