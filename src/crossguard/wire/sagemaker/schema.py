"""The records of SageMaker's wire format, and the media types of bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, Field

from crossguard.checked_settings import StrictModel
from crossguard.data.image_sources import is_data_url
from crossguard.errors import InputError
from crossguard.records import Post

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonlines"
LINES: Final = frozenset({JSON_LINES, "application/x-jsonlines", "application/jsonl", "application/x-ndjson"})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


class RequestError(InputError):
    """A request as a whole cannot be used.

    Attributes:
        status: HTTP status, 400 to 499.
        code: A stable snake_case word for programs.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def to_json(self) -> str:
        """Returns the body of the reply."""
        return json.dumps({"error": self.code, "message": str(self)})


class Instance(StrictModel):
    """A post on the wire."""

    text: str | None = Field(None, description="What the author wrote.")
    image_base64: str | None = Field(None, description="An image as base64, or as a data: URL.")
    image_url: str | None = Field(None, description="A data: URL, or a web address where the service may fetch.")
    image_text: str | None = Field(None, description="Words read from the image.")
    id: str | int | None = Field(None, description="The caller's own name for the post; its place when not given.")

    def post(self, place: str) -> Post:
        """Returns the post; its image is never a path, so that a caller cannot reach the files of the server."""
        return Post(place if self.id is None else str(self.id), self.text or "", self._image(), self.image_text or "")

    def _image(self) -> str | None:
        if self.image_base64:
            return self.image_base64 if is_data_url(self.image_base64) else "data:;base64," + self.image_base64
        return self.image_url or None


class Prediction(BaseModel):
    """The answer for one post."""

    class_predictions: dict[str, bool]
    probabilities: dict[str, float]
    any_harmful: bool
    action: str
    id: str
    model_version: str
    policy: str


class Failure(BaseModel):
    """In the place of a post that could not be scored."""

    error: str = Field(description="A stable word for programs.")
    message: str
    id: str


class Form(StrEnum):
    """How the posts of a request are laid out, and so the answers."""

    SINGLE = "single"
    INSTANCES = "instances"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request."""

    form: Form  # how its posts are laid out
    posts: tuple[Post, ...]  # in order; one that cannot be read has its `error` set


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    # 200, or 422 when no post of the request could be scored. JSON Lines always get 200: a batch transform would give
    # up all of its lines otherwise.
    status: HTTPStatus
    content_type: str  # of the body
    body: str  # ASCII text


def media_type(content_type: str | None) -> str:
    """Returns a type that is read here, in lower case and without parameters.

    Raises:
        RequestError: 415, another type or character set.
    """
    header = Message()
    header["content-type"] = content_type or JSON
    kind = header.get_content_type()
    charset = str(header.get_param("charset") or "utf-8").lower()
    if charset not in CHARSETS:
        raise _unsupported(f"The body must be UTF-8, and its type says '{charset[:40]}'.")
    if kind != JSON and kind not in LINES and not is_image_type(kind):
        raise _unsupported(f"The body must be {JSON}, {JSON_LINES} or an image (image/jpeg ...), and is '{kind[:80]}'.")
    return kind


def is_image_type(kind: str) -> bool:
    """Whether a type is that of a bare image."""
    return kind.startswith("image/") or kind == "application/x-image"


def check_accept(accept: str | None) -> None:
    """Checks that the caller takes what is sent.

    Raises:
        RequestError: 406, it does not.
    """
    wanted = {part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")}
    if not wanted & {"*/*", "application/*", "", JSON, *LINES}:
        raise RequestError(
            HTTPStatus.NOT_ACCEPTABLE,
            "not_acceptable",
            f"Replies are {JSON} or {JSON_LINES}, and the request accepts only '{(accept or '')[:80]}'.",
        )


def _unsupported(message: str) -> RequestError:
    return RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
