"""JSON in and out: bodies become checked models, and what is wrong with one becomes a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_core import ErrorDetails, to_json
from starlette.responses import Response

from crossguard.checked_settings import UNKNOWN, place_of
from crossguard.data.cells import whole
from crossguard.errors import suggest
from crossguard.serving.errors import BadRequest, BodyTooLarge

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"
MAX_PROBLEMS = 5
VALUES_PER_POST: Final = 32
LEAST_VALUES: Final = 10_000
_SHOWN = 80
_OBJECT = frozenset({"model_type", "model_attributes_type"})
# Problems of a body that is no object, or one without what it must have.
_SHAPE = _OBJECT | {"missing"}


class NullIsAbsent(BaseModel):
    """A body in which null means that its sender has no value: the default holds."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, body: Any) -> Any:
        return {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else body


def check_values(body: bytes, most: int) -> None:
    """Raises BodyTooLarge where a body has more than `most` values, before any is built, and an error made for each.

    They are counted by the commas outside of texts.
    """
    if body.count(b",") <= most:
        return
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    texts = unescaped.count(b'"') // 2
    # Keys, values, and keys of what holds them: the list of parts is short where it is made.
    if texts > 4 * (most + 1) or sum(part.count(b",") for part in unescaped.split(b'"')[::2]) > most:
        raise BodyTooLarge(f"The body has more than {most:,} values. Send fewer posts at once.")


def as_json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a JSON response."""
    return Response(to_json(body), status, headers, JSON)


def validated(model: type[M], body: bytes | str, example: Any = None, context: Any = None) -> M:
    """Returns JSON as a model.

    Args:
        model: What it must be.
        body: JSON; half characters in it are replaced, as in files.
        example: A right body, which is shown to whoever sends another shape.
        context: What the model's validators get as theirs.

    Raises:
        BadRequest: It is not valid JSON, or breaks a rule; names up to five problems, and never the value itself.
    """
    try:
        return model.model_validate_json(body, strict=True, context=context)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid" and (mended := _without_halves(body)) is not None:
        return validated(model, mended, example, context)
    lines = "; ".join(_problem(model, problem) for problem in problems[:MAX_PROBLEMS])
    if example is not None and any(p["type"] in _SHAPE and not p["loc"][1:] for p in problems):
        lines += f". Send an object such as {to_json(example).decode()}"
    raise BadRequest(lines, code="invalid_json" if problems[0]["type"] == "json_invalid" else "invalid_request")


def _without_halves(body: bytes | str) -> str | None:
    """Returns JSON with half characters replaced, such as those of an emoji that was cut; None if there are none."""
    try:
        sent = body if isinstance(body, str) else body.decode()
        text = json.dumps(json.loads(sent), ensure_ascii=False) if "\\u" in sent else ""
    except (ValueError, RecursionError):
        return None
    mended = whole(text)
    return None if mended == text else mended


def _problem(model: type[BaseModel], problem: ErrorDetails) -> str:
    path, known = place_of(model, problem)
    where = ".".join(part[:_SHOWN] for part in path)
    if problem["type"] == UNKNOWN:
        return f"Unknown key '{where}'.{suggest(path[-1][:_SHOWN], known)}"
    if problem["type"] == "union_tag_not_found":
        return f"{where}.type: Field required"
    if problem["type"] == "union_tag_invalid":  # pydantic's own sentence quotes the value
        return f"{where}.type: Input should be one of {problem['ctx']['expected_tags']}"
    keys = ", ".join(f'"{name}": ...' for name in known if where)
    told = f"{problem['msg']}: {{{keys}}}" if keys and problem["type"] in _OBJECT else problem["msg"]
    return f"{where}: {told}" if where else told
