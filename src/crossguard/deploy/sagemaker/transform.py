"""Batch transform: JSON Lines in S3 become JSON Lines in S3, one line for each line, in order."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel
from crossguard.deploy.sagemaker.aws import AwsSession, Request, client, run_job, send
from crossguard.deploy.sagemaker.container import S3, Container, InstanceType, JobName, stamped, tagged
from crossguard.deploy.sagemaker.documents import document

# SageMaker's own bound on what it sends at the same time.
MAX_TOTAL_MB: Final = 100
# A request holds as many lines as fit, which may be tens of thousands of short posts: the caps of a public service
# would refuse it, and here nobody else waits. What SageMaker sends at once fits the default for all bodies together.
UNCAPPED: Final = {
    "CROSSGUARD_MAX_POSTS": "1000000",
    "CROSSGUARD_MAX_QUEUE": "2000000",
    "CROSSGUARD_MAX_BODY_BYTES": str(MAX_TOTAL_MB << 20),
    "CROSSGUARD_BODY_TIMEOUT_S": "3600",
    "CROSSGUARD_REQUEST_TIMEOUT_S": "3600",
}


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
        job = document("transform", dict(self) | {"job": name, "uncapped": UNCAPPED, "tag_list": tags})
        return [
            Request("CreateModel", {"ModelName": name, **self.container.model()}),
            Request("CreateTransformJob", job),
        ]

    def run(self, session: AwsSession | None = None) -> str:
        """Starts the job, waits for its end, removes the model, and returns the prefix of the results.

        Raises:
            DeployError: AWS refused a request, or the job failed or was stopped; names AWS's reason.
        """
        sagemaker = client("sagemaker", session)
        model, job = self.requests()
        send(sagemaker, model)
        try:
            run_job(sagemaker, job, "TransformJob", minutes=self.hours * 60)
        finally:
            send(sagemaker, Request("DeleteModel", {"ModelName": model.parameters["ModelName"]}))
        return self.output
