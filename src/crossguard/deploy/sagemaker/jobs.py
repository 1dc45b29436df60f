"""Jobs over S3, which end by themselves: JSON Lines become scored JSON Lines; a recipe and data become a bundle."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel
from crossguard.deploy.sagemaker.aws import AwsSession, Request, UnfinishedError, client, run_job, send
from crossguard.deploy.sagemaker.container import (
    MAX_TOTAL_MB,
    S3,
    Container,
    InstanceType,
    JobName,
    Role,
    stamped,
    tagged,
)
from crossguard.deploy.sagemaker.documents import document
from crossguard.errors import DeployError

CHECKPOINTS: Final = "/opt/ml/checkpoints"
# Settings that are text even where they look like a number, as a version does.
TEXTS: Final = ("model_name", "model_version")
# What the log says after each epoch, for AWS's graphs.
METRICS: Final = ("loss", "roc_auc_macro", "f1_macro", "average_precision_macro")


class BatchTransform(StrictModel):
    """A batch transform job.

    Attributes:
        name: Beginning of the name of the job and its model, which ends in the time.
        input: S3 prefix of JSON Lines files, with the keys of a post on the wire on each line.
        output: S3 prefix; `a.jsonl` becomes `a.jsonl.out`.
        instances: How many; each takes whole files, so split the input into at least as many.
        request_mb: The most that is sent in one request, and so the longest line.
        concurrency: Requests at once per instance; two, so that one is read while the other is scored.
        join: Whether each line of the output has the input beside the answer, which is then under `SageMakerOutput`.
        hours: After which waiting ends.
    """

    kind: Literal["transform"] = "transform"
    name: JobName
    container: Container
    input: S3
    output: S3
    instance_type: InstanceType = "ml.c7i.xlarge"
    instances: int = Field(default=1, ge=1)
    request_mb: int = Field(default=6, ge=1, le=100)
    concurrency: int = Field(default=2, ge=1)
    join: bool = False
    hours: float = Field(default=24, gt=0)

    @model_validator(mode="after")
    def _bounded(self) -> BatchTransform:
        if self.request_mb * self.concurrency > MAX_TOTAL_MB:
            raise ValueError(f"request_mb ({self.request_mb}) times concurrency ({self.concurrency}) is at most 100")
        return self

    def requests(self, time: datetime | None = None) -> list[Request]:
        """Returns the requests that `run` sends, for a job of that time, now when None."""
        # The model lives as long as the job, so it has the job's name and not one that two jobs would share.
        name = stamped(self.name, time)
        tags = tagged(self.container.tags).get("Tags")
        job = document("transform", dict(self) | {"job": name, "tag_list": tags})
        return [
            Request("CreateModel", {"ModelName": name, **self.container.model(uncapped=True)}),
            Request("CreateTransformJob", job),
        ]

    def run(self, session: AwsSession | None = None, say: Callable[[str], None] | None = None) -> str:
        """Starts the job, waits for its end, removes the model, and returns the prefix of the results.

        Args:
            session: Where to; the machine's default session when None.
            say: Is told the name of the job as soon as it runs.

        Raises:
            DeployError: AWS refused a request, or the job failed or was stopped; names AWS's reason. Or nobody can wait
                for the job any more: then it goes on, with its model.
        """
        sagemaker = client("sagemaker", session)
        model, job = self.requests()
        send(sagemaker, model)
        name = model.parameters["ModelName"]
        delete = Request("DeleteModel", {"ModelName": name})
        try:
            run_job(sagemaker, job, "TransformJob", self.hours * 60, say)
        except UnfinishedError as error:
            raise UnfinishedError(f"{error} After its end: aws sagemaker delete-model --model-name {name}") from error
        except DeployError:
            with contextlib.suppress(DeployError):  # why the job failed is what counts
                send(sagemaker, delete)
            raise
        send(sagemaker, delete)
        return self.output


class TrainingJob(StrictModel):
    """A training job.

    Attributes:
        name: Beginning of the name of the job.
        role: ARN of the role that SageMaker takes on; see `crossguard deploy sagemaker policy`.
        image: URI of the container image in ECR.
        image_kind: `crossguard` is an image with crossguard[train], `pytorch` one of AWS's PyTorch training images.
        source: For `pytorch`: the archive of `crossguard deploy sagemaker package-training`, in S3.
        recipe: Name of a shipped recipe, or of a YAML file in the channel `recipe`.
        settings: Settings that replace the recipe's, such as `lr_head: 3e-4`.
        channels: S3 prefixes by the name of the channel; `train` holds the tables.
        output: S3 prefix of the bundle.
        checkpoints: S3 prefix of checkpoints; required for spot machines.
        spot: Whether to use spare machines, which cost a third and may be taken away.
        volume_gb: Disk for data, decoded images and checkpoints.
        hours: The longest training.
        wait_hours: The longest training and waiting for spot machines together; twice `hours` when None.
    """

    kind: Literal["training"] = "training"
    name: JobName
    role: Role
    image: str
    image_kind: Literal["crossguard", "pytorch"] = "crossguard"
    source: S3 | None = None
    recipe: str
    settings: dict[str, Any] = Field(default_factory=dict)
    channels: dict[str, S3] = Field(min_length=1)
    output: S3
    checkpoints: S3 | None = None
    spot: bool = False
    instance_type: InstanceType = "ml.g5.xlarge"
    volume_gb: int = Field(default=100, ge=1)
    hours: float = Field(default=24, gt=0)
    wait_hours: float | None = Field(default=None, gt=0)
    environment: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> TrainingJob:
        problems = []
        if self.spot and self.checkpoints is None:
            problems.append("spot needs checkpoints, or an interruption would begin again from nothing")
        if (self.image_kind == "pytorch") != (self.source is not None):
            problems.append("source is needed with image_kind 'pytorch', and only there")
        if self.wait_hours is not None and self.wait_hours < self.hours:
            problems.append(f"wait_hours ({self.wait_hours}) must not be below hours ({self.hours})")
        problems += filter(None, map(_why_unsendable, self.settings, self.settings.values()))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def requests(self, time: datetime | None = None) -> list[Request]:
        """Returns the request that `run` sends, for a job of that time, now when None."""
        ours = self.image_kind == "crossguard"
        values = dict(self) | {
            "job": stamped(self.name, time),
            "metrics": [{"Name": name, "Regex": rf"\b{name} ([0-9.]+)"} for name in METRICS],
            "entrypoint": ["python", "-m", "crossguard.deploy.sagemaker.train"] if ours else None,
            "hyperparameters": self._hyperparameters(),
            "inputs": [_channel(name, prefix) for name, prefix in sorted(self.channels.items())],
            "seconds": round(self.hours * 3600),
            "waiting_seconds": round(self._longest_hours * 3600) if self.spot else None,
            "tag_list": tagged(self.tags).get("Tags"),
        }
        return [Request("CreateTrainingJob", document("training_job", values))]

    def run(self, session: AwsSession | None = None, say: Callable[[str], None] | None = None) -> str:
        """Starts the job, waits for its end, and returns where in S3 the bundle's archive lies.

        Args:
            session: Where to; the machine's default session when None.
            say: Is told the name of the job as soon as it runs.

        Raises:
            DeployError: AWS refused a request, or the job failed or was stopped; names AWS's reason. Or nobody can wait
                for the job any more, which goes on.
        """
        (create,) = self.requests()
        # Starting machines and uploading the bundle count beside the training itself.
        minutes = 60 * (1 + self._longest_hours)
        described = run_job(client("sagemaker", session), create, "TrainingJob", minutes, say)
        archive: str = described["ModelArtifacts"]["S3ModelArtifacts"]
        return archive

    def _hyperparameters(self) -> dict[str, str]:
        """Returns strings, as SageMaker has no other values; the toolkit of AWS's images reads each as JSON."""
        values = {"recipe": self.recipe, **self.settings}
        if self.image_kind == "pytorch":
            values |= {"sagemaker_program": "train.py", "sagemaker_submit_directory": self.source}
        return {key: json.dumps(value) for key, value in values.items()}

    @property
    def _longest_hours(self) -> float:
        return (self.wait_hours or 2 * self.hours) if self.spot else self.hours


def _why_unsendable(key: str, value: Any) -> str | None:
    """Returns what is wrong with a setting."""
    if key in TEXTS and not isinstance(value, str):
        return f"settings.{key} ({value!r}) is no text: put it in quotes, as 1.10 without them is the number 1.1"
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        return f"settings.{key} ({value!r}) cannot be sent: {error}. Put a date in quotes"
    return None


def _channel(name: str, prefix: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": prefix, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
