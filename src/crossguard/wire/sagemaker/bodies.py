"""The body of a request becomes posts, and decisions become the body of a reply."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from crossguard.checked_settings import parse
from crossguard.data.image_sources import is_url, shortened
from crossguard.errors import ConfigError, number_of
from crossguard.records import Action, Decision, Post
from crossguard.wire.sagemaker.schema import (
    JSON,
    JSON_LINES,
    LINES,
    Form,
    Instance,
    Invocation,
    Reply,
    RequestError,
    check_accept,
    is_image_type,
    media_type,
)

_SHOWN = 300


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
    if isinstance(body, bytearray):
        body = bytes(body)
    if is_image_type(kind):
        if isinstance(body, str):
            raise _malformed(f"A body of type {kind} must be the bytes of an image, not text.")
        return Invocation(Form.SINGLE, (Post("0", image=body),))
    # Editors of Windows put this mark before UTF-8.
    body = body.removeprefix(codecs.BOM_UTF8) if isinstance(body, bytes) else body.removeprefix("\ufeff")
    return _read_lines(body, max_posts) if kind in LINES else _read_json(body, max_posts)


def _check_count(count: int, max_posts: int | None) -> None:
    """Refuses too many posts before any is made: a byte or three are enough for one."""
    if max_posts is not None and count > max_posts:
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_many_posts",
            f"A request may have {number_of(max_posts, 'post')}, and this one has {count}.",
        )


def _read_json(body: bytes | str, max_posts: int | None) -> Invocation:
    data = _decode(body, "The body")
    if not isinstance(data, Mapping):
        raise _malformed(f'The body must be an object such as {{"text": "..."}}, not {type(data).__name__}.')
    if "instances" not in data:
        return Invocation(Form.SINGLE, (_entry(data, "0", "The post"),))
    others = sorted(set(data) - {"instances"})
    if others:
        raise _malformed(f"Beside 'instances' there must be no other key, and there is '{others[0][:80]}'.")
    rows = data["instances"]
    if not isinstance(rows, list) or not rows:
        raise _malformed("'instances' must be a list of at least one post.")
    _check_count(len(rows), max_posts)
    return Invocation(Form.INSTANCES, tuple(_entry(row, str(i), f"Instance {i}") for i, row in enumerate(rows)))


def _read_lines(body: bytes | str, max_posts: int | None) -> Invocation:
    # Only \n ends a line: splitlines() would also cut at characters that JSON texts may hold, such as U+2028.
    newline: Any = b"\n" if isinstance(body, bytes) else "\n"
    _check_count(body.count(newline) + bool(body[body.rfind(newline) + 1 :].strip()), max_posts)
    lines: list[bytes | str] = [*body.split(newline)]
    if not lines[-1].strip():
        lines.pop()
    if not lines:
        raise _malformed("The body is empty; it must hold one JSON object per line.")
    return Invocation(Form.LINES, tuple(_line(line, index) for index, line in enumerate(lines)))


def _line(line: bytes | str, index: int) -> Post:
    try:
        data = _decode(line, f"Line {index + 1}")
    except RequestError as error:
        return Post.failed(str(index), "line_malformed", str(error))
    return _entry(data, str(index), f"Line {index + 1}")


def _entry(data: Any, place: str, where: str) -> Post:
    if not isinstance(data, Mapping):
        problem = f'{where} must be an object such as {{"text": "..."}}, not {type(data).__name__}.'
        return Post.failed(place, "post_malformed", problem)
    try:
        instance = parse(Instance, data, where)
    except ConfigError as error:
        return Post.failed(_name(data, place), "post_malformed", shortened(str(error), _SHOWN))
    if instance.image_url and not is_url(instance.image_url):
        problem = f"{where}: image_url must be a data: URL or a web address. Send the image itself as image_base64."
        return Post.failed(_name(data, place), "image_url_not_allowed", problem)
    if instance.image_url and instance.image_base64:
        return Post.failed(
            _name(data, place), "post_malformed", f"{where} has both image_url and image_base64; give one."
        )
    return instance.post(place)


def _name(data: Mapping[str, Any], place: str) -> str:
    name = data.get("id")
    return shortened(str(name), _SHOWN) if isinstance(name, str | int) else place


def _decode(text: bytes | str, where: str) -> Any:
    try:
        return json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, strict=False)
    except UnicodeDecodeError as error:
        raise _malformed(f"{where} is not valid UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{where} is not valid JSON: {error.msg} at character {error.pos}.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets in brackets
        raise _malformed(f"{where} is not readable JSON: {error}.") from None


def _malformed(message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, "request_malformed", message)


def write(form: Form, decisions: Sequence[Decision], accept: str | None = None) -> Reply:
    """Returns the reply to a request of a form, with a decision for each of its posts, in order.

    Raises:
        RequestError: 406, the caller takes neither JSON nor JSON Lines.
    """
    check_accept(accept)
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
