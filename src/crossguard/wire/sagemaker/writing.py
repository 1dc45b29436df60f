"""Decisions become the reply of a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from crossguard.records import Decision
from crossguard.wire.sagemaker.media_types import JSON, JSON_LINES, check_accept
from crossguard.wire.sagemaker.schema import Form, Reply


def write(form: Form, decisions: Sequence[Decision], accept: str | None = None) -> Reply:
    """Returns the reply to a request.

    Args:
        form: The form of the request.
        decisions: One for each of its posts, in order.
        accept: The types that the caller takes; any when None.

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
        "any_harmful": bool(decision.flags),
        "action": decision.action.value,
        "id": decision.id,
        "model_version": f"{decision.model}-{decision.model_version}",
        "policy": decision.policy,
    }
