"""SageMaker's wire format: the service and the handler for AWS's own containers read and write it here.

A request is one post, many under `instances`, one per line, or a bare image. The reply has the form of the request.
The keys of a reply (`class_predictions`, `probabilities`, `any_harmful`) are those of the reference's handler.
"""

from __future__ import annotations

from crossguard.wire.sagemaker.media_types import JSON, JSON_LINES, LINES
from crossguard.wire.sagemaker.reading import read
from crossguard.wire.sagemaker.schema import (
    Failure,
    Form,
    Instance,
    Invocation,
    Prediction,
    Reply,
    RequestError,
)
from crossguard.wire.sagemaker.writing import answer, write

__all__ = [
    "JSON",
    "JSON_LINES",
    "LINES",
    "Failure",
    "Form",
    "Instance",
    "Invocation",
    "Prediction",
    "Reply",
    "RequestError",
    "answer",
    "read",
    "write",
]
