"""The content types that are read and written."""

from __future__ import annotations

from email.message import Message
from http import HTTPStatus
from typing import Final

from crossguard.wire.sagemaker.schema import RequestError

JSON: Final = "application/json"
JSON_LINES: Final = "application/jsonlines"
LINES: Final = frozenset({JSON_LINES, "application/x-jsonlines", "application/jsonl", "application/x-ndjson"})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})


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
