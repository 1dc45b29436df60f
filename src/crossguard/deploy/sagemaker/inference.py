"""Handler for the SageMaker PyTorch containers: `model_fn`, `input_fn`, `predict_fn`, `output_fn`.

The containers' toolkit calls them in that order. It decodes a body to text for `application/json` and leaves bytes for
`application/json; charset=utf-8`, so both are taken.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import Final

from pydantic import Field

from crossguard.checked_settings import StrictModel, gather_settings
from crossguard.loading import load
from crossguard.moderator import Moderator
from crossguard.records import Decision
from crossguard.wire.sagemaker import Form, Invocation, RequestError, check_accept, read, write

PREFIX: Final = "CROSSGUARD_"


class HandlerSettings(StrictModel):
    """Variables such as `CROSSGUARD_POLICY`; they mean what they mean to `crossguard serve`."""

    policy: str = "default"
    runtime: str = "auto"
    precision: str = "auto"
    threads: int | None = Field(default=None, ge=1)


def model_fn(model_dir: str) -> Moderator:
    """Loads the bundle of the archive."""
    settings = gather_settings(HandlerSettings, PREFIX, {}, os.environ, None, "The variables of the container")
    moderator = load(Path(model_dir), **settings.model_dump())
    moderator.warm_up()
    return moderator


def input_fn(body: bytes | bytearray | str, content_type: str) -> Invocation:
    """Reads a request; one that is wrong as a whole is answered with 400 or 415 and the reason."""
    try:
        return read(body, content_type)
    except RequestError as error:
        raise _refusal(error.status, error.to_json()) from None


def predict_fn(invocation: Invocation, moderator: Moderator) -> tuple[Form, list[Decision]]:
    """Scores the posts of a request together."""
    return invocation.form, moderator.submit(list(invocation.posts)).result()


def output_fn(prediction: tuple[Form, list[Decision]], accept: str) -> tuple[str, str]:
    """Writes the reply and its content type; a request none of whose posts could be scored is answered with 422."""
    try:
        check_accept(accept)
    except RequestError as error:
        raise _refusal(error.status, error.to_json()) from None
    reply = write(*prediction)
    if reply.status is not HTTPStatus.OK:
        raise _refusal(reply.status, reply.body)
    return reply.body, reply.content_type


def _refusal(status: HTTPStatus, body: str) -> Exception:
    """Returns the one exception that the toolkit turns into a status of our choice; its body is followed by a trace."""
    from sagemaker_inference.errors import BaseInferenceToolkitError

    refusal: Exception = BaseInferenceToolkitError(status.value, body, status.phrase)
    return refusal
