"""SageMaker's wire format: the service and the handler for AWS's own containers read and write it here.

A request is one post, many under `instances`, one per line, or a bare image. The reply has the form of the request.
The keys of a reply (`class_predictions`, `probabilities`, `any_harmful`) are those of the reference's handler.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field

from crossguard.checked_settings import StrictModel, parse
from crossguard.data.cells import whole
from crossguard.data.image_sources import is_data_url, is_url
from crossguard.errors import ConfigError, InputError, number_of, shortened
from crossguard.records import Action, Decision, Post
from crossguard.wire import refusal_of

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonlines"
LINES: Final = frozenset({JSON_LINES, "application/x-jsonlines", "application/jsonl", "application/x-ndjson"})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
HALF: Final = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)
_SHOWN: Final = 300


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
        RequestError: 415, another type or character set, or a type that is too long.
    """
    if told := refusal_of(content_type):
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", told)
    header = Message()
    header["content-type"] = content_type or JSON
    kind = header.get_content_type()
    charset = str(header.get_param("charset") or "utf-8").lower()
    if charset in CHARSETS and (kind == JSON or kind in LINES or is_image_type(kind)):
        return kind
    raise RequestError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        f"The body must be {JSON} or {JSON_LINES} in UTF-8, or an image (image/jpeg ...), and is '{kind[:80]}' in "
        f"'{charset[:40]}'.",
    )


def is_image_type(kind: str) -> bool:
    """Whether a type is that of a bare image."""
    return kind.startswith("image/") or kind == "application/x-image"


def check_accept(accept: str | None) -> None:
    """Raises RequestError, 406, where the caller takes neither JSON nor JSON Lines."""
    accept = accept or "*/*"
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if not wanted & {"*/*", "application/*", "", JSON, *LINES}:
        told = f"Replies are {JSON} or {JSON_LINES}, and the request accepts only '{accept[:80]}'."
        raise RequestError(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", told)


def read(body: bytes | bytearray | str, content_type: str | None, *, max_posts: int | None = None) -> Invocation:
    """Returns the posts of a request.

    Args:
        body: As received; AWS's toolkit decodes some content types to text, and TorchServe gives others as bytearray.
        content_type: With or without parameters; JSON when there is none.
        max_posts: The most posts in one request; None for no cap.

    Raises:
        RequestError: 400 for a body that is not what its type says, 413 over the cap, 415 for another type.
    """
    kind = media_type(content_type)
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)
    if is_image_type(kind):
        if isinstance(body, str):
            raise _malformed(f"A body of type {kind} must be the bytes of an image, not text.")
        return Invocation(Form.SINGLE, (Post("0", image=data),))
    data = data.removeprefix(codecs.BOM_UTF8)  # which editors of Windows write
    return _read_lines(data, max_posts) if kind in LINES else _read_json(data, max_posts)


def _check_count(count: int, max_posts: int | None) -> None:
    """Refuses too many posts before any is made: a byte or three are enough for one."""
    if max_posts is not None and count > max_posts:
        told = f"A request may have {number_of(max_posts, 'post')}, and this one has {count}."
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_posts", told)


def _read_json(body: bytes, max_posts: int | None) -> Invocation:
    data = _decode(body, "The body")
    if isinstance(data, Mapping) and "instances" not in data:
        return Invocation(Form.SINGLE, (_entry(data, "0", "The post"),))
    rows = data["instances"] if isinstance(data, Mapping) and len(data) == 1 else None
    if not isinstance(rows, list) or not rows:
        raise _malformed(
            'The body must be {"text": "..."}, or {"instances": [...]} with at least one post and no other key.'
        )
    _check_count(len(rows), max_posts)
    return Invocation(Form.INSTANCES, tuple(_entry(row, str(i), f"Instance {i}") for i, row in enumerate(rows)))


def _read_lines(body: bytes, max_posts: int | None) -> Invocation:
    count = body.count(b"\n") + bool(body.rpartition(b"\n")[2].strip())
    _check_count(count, max_posts)
    if not count:
        raise _malformed("The body is empty; it must hold one JSON object per line.")
    return Invocation(Form.LINES, tuple(_line(line, index) for index, line in enumerate(body.split(b"\n")[:count])))


def _line(line: bytes, index: int) -> Post:
    try:
        data = _decode(line, f"Line {index + 1}")
    except RequestError as error:
        return Post.failed(str(index), "line_malformed", str(error))
    return _entry(data, str(index), f"Line {index + 1}")


def _entry(data: Any, place: str, where: str) -> Post:
    if not isinstance(data, Mapping):
        problem = f'{where} must be an object such as {{"text": "..."}}, not {type(data).__name__}.'
        return Post.failed(place, "post_malformed", problem)
    given = data.get("id")
    name = shortened(str(given), _SHOWN) if isinstance(given, str | int) else place
    try:
        instance = parse(Instance, data, where)
    except ConfigError as error:
        return Post.failed(name, "post_malformed", shortened(str(error), _SHOWN))
    if instance.image_url and not is_url(instance.image_url):
        problem = f"{where}: image_url must be a data: URL or a web address. Send the image itself as image_base64."
        return Post.failed(name, "image_url_not_allowed", problem)
    if instance.image_url and instance.image_base64:
        return Post.failed(name, "post_malformed", f"{where} has both image_url and image_base64; give one.")
    return instance.post(place)


def _decode(text: bytes, where: str) -> Any:
    try:
        data = json.loads(text.decode(), strict=False)
        # Half characters, such as those of an emoji that was cut, come back in ids, and no reply may hold them.
        return json.loads(whole(json.dumps(data, ensure_ascii=False))) if HALF.search(text) else data
    except (ValueError, RecursionError) as error:  # the latter from brackets in brackets
        raise _malformed(f"{where} is not readable JSON in UTF-8: {error}.") from None


def _malformed(message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, "request_malformed", message)


def write(form: Form, decisions: Sequence[Decision]) -> Reply:
    """Returns the reply to a request of a form, with a decision for each of its posts, in order."""
    answers = [answer(decision) for decision in decisions]
    if form is Form.LINES:
        # No line end at the end: a batch transform adds one between requests, and two would make an empty line.
        return Reply(HTTPStatus.OK, JSON_LINES, "\n".join(map(json.dumps, answers)))
    scored = any(decision.ok for decision in decisions)
    status = HTTPStatus.OK if scored else HTTPStatus.UNPROCESSABLE_ENTITY
    return Reply(status, JSON, json.dumps(answers[0] if form is Form.SINGLE else {"predictions": answers}))


def answer(decision: Decision) -> dict[str, Any]:
    """Returns what the reply says of one post: the fields of `Prediction` or of `Failure`."""
    if decision.error is not None or decision.action is None:
        error = decision.error
        return {"error": error and error.code, "message": error and error.message, "id": decision.id}
    card = decision.to_card()
    return {
        "class_predictions": card["predictions"],
        "probabilities": {name: round(score, 6) for name, score in card["probabilities"].items()},
        "any_harmful": bool(decision.flags) or decision.action is Action.BLOCK,
        "action": decision.action.value,
        "id": decision.id,
        "model_version": f"{decision.model}-{decision.model_version}",
        "policy": decision.policy,
    }
