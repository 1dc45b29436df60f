"""Outcomes become the reply of a request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from crossguard.records import Decision, Outcome, Skipped
from crossguard.wire.sagemaker.media_types import JSON, JSON_LINES, check_accept
from crossguard.wire.sagemaker.schema import Form, Reply


def write(form: Form, outcomes: Sequence[Outcome], accept: str | None = None) -> Reply:
    """Returns the reply to a request.

    Args:
        form: The form of the request.
        outcomes: One for each of its posts, in order.
        accept: The types that the caller takes; any when None.

    Raises:
        RequestError: 406, the caller takes neither JSON nor JSON Lines.
    """
    check_accept(accept)
    answers = [answer(outcome) for outcome in outcomes]
    if form is Form.LINES:
        # No line end at the end: a batch transform adds one between requests, and two would make an empty line.
        return Reply(HTTPStatus.OK, JSON_LINES, "\n".join(map(json.dumps, answers)))
    scored = any(isinstance(outcome, Decision) for outcome in outcomes)
    status = HTTPStatus.OK if scored else HTTPStatus.UNPROCESSABLE_ENTITY
    return Reply(status, JSON, json.dumps(answers[0] if form is Form.SINGLE else {"predictions": answers}))


def answer(outcome: Outcome) -> dict[str, Any]:
    """Returns what the reply says of one post: the fields of `Prediction` or of `Failure`."""
    if isinstance(outcome, Skipped):
        return {"error": outcome.reason, "message": outcome.message, "id": outcome.id}
    card = outcome.to_card()
    return {
        "class_predictions": card["predictions"],
        "probabilities": {name: round(score, 6) for name, score in card["probabilities"].items()},
        "any_harmful": bool(outcome.flags),
        "action": outcome.action.value,
        "id": outcome.id,
        "model_version": f"{outcome.model}-{outcome.model_version}",
        "policy": outcome.policy,
    }
