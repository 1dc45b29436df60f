"""Requests to AWS as data, so that they can be printed, checked and tested before they are sent.

boto3 is the only SDK here: its requests follow the service's own model, which does not change with the major versions
of the `sagemaker` SDK.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from crossguard.errors import ConfigError, DeployError, MissingExtraError


@dataclass(frozen=True, slots=True)
class FromReply:
    """A value that only the reply to an earlier request knows.

    Attributes:
        operation: Of that request.
        key: Of the reply.
    """

    operation: str
    key: str

    def __str__(self) -> str:
        return f"<{self.key} of the reply to {self.operation}>"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        service: As boto3 names the client.
        operation: As the API names it; the IAM action has the same name.
        parameters: What is sent.
        done_already: Words of an error that means that nothing is left to do, such as "already existing".
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    done_already: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns what a dry run prints."""
        return {"service": self.service, "operation": self.operation, "parameters": _resolved(self.parameters, str)}


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits until something has happened, with one of boto3's waiters.

    Attributes:
        service: As boto3 names the client.
        waiter: As boto3 names it.
        parameters: Which thing is waited for.
        minutes: The longest wait.
    """

    service: str
    waiter: str
    parameters: Mapping[str, Any]
    minutes: float = 60

    def to_dict(self) -> dict[str, Any]:
        """Returns what a dry run prints."""
        return {"service": self.service, "wait": self.waiter, "parameters": dict(self.parameters)}


Step: TypeAlias = Call | Wait
_POLL_SECONDS = 15


class Session(Protocol):
    """What is needed of a `boto3.Session`."""

    def client(self, service_name: str) -> Any:
        """Returns a client of a service."""


@dataclass(slots=True)
class Aws:
    """Sends requests with the credentials of a boto3 session; the default session of the machine when None."""

    session: Session | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Returns the client of a service.

        Raises:
            MissingExtraError: boto3 is not installed.
            DeployError: Region or credentials are not set.
        """
        if service not in self._clients:
            self._clients[service] = self._open(service)
        return self._clients[service]

    def run(self, steps: Iterable[Step]) -> list[dict[str, Any]]:
        """Takes steps in order and returns the replies of the requests among them.

        Raises:
            DeployError: AWS refused a request, or what was waited for failed; names the step and AWS's reason.
        """
        replies: dict[str, dict[str, Any]] = {}
        order = []
        for step in steps:
            if isinstance(step, Wait):
                self._wait(step)
                continue
            parameters = _resolved(step.parameters, lambda value: replies[value.operation][value.key])
            replies[step.operation] = self._send(step, parameters)
            order.append(replies[step.operation])
        return order

    def _send(self, call: Call, parameters: Mapping[str, Any]) -> dict[str, Any]:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            reply: dict[str, Any] = getattr(self.client(call.service), xform_name(call.operation))(**parameters)
        except (BotoCoreError, ClientError) as error:
            if call.done_already and call.done_already in str(error):
                return {}
            raise DeployError(f"AWS refused {call.operation}: {error}") from error
        return reply

    def _wait(self, wait: Wait) -> None:
        from botocore.exceptions import WaiterError

        attempts = max(1, round(wait.minutes * 60 / _POLL_SECONDS))
        waiter = self.client(wait.service).get_waiter(wait.waiter)
        try:
            waiter.wait(**wait.parameters, WaiterConfig={"Delay": _POLL_SECONDS, "MaxAttempts": attempts})
        except WaiterError as error:
            reason = error.last_response.get("FailureReason") or error
            raise DeployError(f"Waiting for {wait.waiter} of {dict(wait.parameters)} failed: {reason}") from error

    def _open(self, service: str) -> Any:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise MissingExtraError("Talking to AWS", "sagemaker") from None
        try:
            return (self.session or boto3.Session()).client(service)
        except BotoCoreError as error:
            raise DeployError(f"{error} Set AWS_DEFAULT_REGION and credentials, or run: aws configure") from error


def require(reply: Mapping[str, Any], status: str) -> None:
    """Checks how a job ended, as it also counts as over when it was stopped.

    Raises:
        DeployError: Otherwise than `Completed`; names AWS's reason.
    """
    if reply[status] != "Completed":
        reason = reply.get("FailureReason") or reply.get("SecondaryStatus") or "no reason given"
        raise DeployError(f"The job ended as {reply[status]}, not Completed: {reason}")


def check(steps: Iterable[Step]) -> None:
    """Compares requests with botocore's model of each service: names, types, what is required, lengths.

    Needs neither network nor credentials.

    Raises:
        ConfigError: All that the model refuses.
        MissingExtraError: boto3 is not installed.
    """
    try:
        from botocore.session import Session as Models
        from botocore.validate import ParamValidator
    except ImportError:
        raise MissingExtraError("Checking requests to AWS", "sagemaker") from None
    models = Models()
    problems = []
    for service, calls in _by_service(steps).items():
        model = models.get_service_model(service)
        for call in calls:
            shape = model.operation_model(call.operation).input_shape
            report = ParamValidator().validate(call.to_dict()["parameters"], shape)
            problems += [f"{call.operation}: {line}" for line in report.generate_report().splitlines()]
    if problems:
        raise ConfigError.gather("Requests to AWS", problems)


def to_json(steps: Sequence[Step]) -> str:
    """Returns the steps as a dry run prints them: exactly what would be sent, one after the other."""
    return json.dumps([step.to_dict() for step in steps], indent=2)


def _by_service(steps: Iterable[Step]) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {}
    for step in steps:
        if isinstance(step, Call):
            calls.setdefault(step.service, []).append(step)
    return calls


def _resolved(value: Any, resolve: Callable[[FromReply], Any]) -> Any:
    """Returns parameters with every `FromReply` replaced."""
    if isinstance(value, FromReply):
        return resolve(value)
    if isinstance(value, Mapping):
        return {key: _resolved(inner, resolve) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(inner, resolve) for inner in value]
    return value
