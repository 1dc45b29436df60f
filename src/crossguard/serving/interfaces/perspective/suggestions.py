"""`comments:suggestscore`: people say what a score should have been. Kept in a file, and only where one is named."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from starlette.responses import Response

from crossguard.serving.call import Call
from crossguard.serving.errors import BadRequest, Overloaded
from crossguard.serving.interfaces.perspective.analyze import check_languages
from crossguard.serving.interfaces.perspective.schema import (
    SuggestCommentScoreRequest,
    SuggestCommentScoreResponse,
)
from crossguard.serving.json_bodies import as_json
from crossguard.serving.settings import MEBI

MAX_TEXT = 20_480
"""Characters of a comment that are kept; Perspective takes no longer one."""
MAX_ATTRIBUTES = 32
MAX_BYTES = 256 * MEBI
"""Size from which a file of suggestions takes no more, so that no caller can fill a disk."""
RETRY_S = 3600


async def suggest_score(call: Call) -> Response:
    """Keeps a suggestion where the operator named a file, and otherwise only says that it came."""
    request = await call.parse(SuggestCommentScoreRequest)
    check_languages(request.languages, call.settings.languages)
    if not request.comment.text.strip():
        raise BadRequest("comment.text: the comment is empty.", code="comment_empty")
    if not 1 <= len(request.attribute_scores) <= MAX_ATTRIBUTES:
        raise BadRequest(f"attributeScores: 1 to {MAX_ATTRIBUTES} are needed.", code="no_attribute_scores")
    if len(request.comment.text) > MAX_TEXT:
        raise BadRequest(f"comment.text: a comment may have {MAX_TEXT} characters.", code="comment_too_long")
    path = call.settings.suggestions
    if path is not None:
        await asyncio.to_thread(append, path, line_of(request, call.caller.name))
    answer = SuggestCommentScoreResponse(
        client_token=request.client_token, requested_languages=request.languages or None
    )
    headers = {"x-crossguard-stored": "true" if path is not None else "false"}
    return as_json(answer.model_dump(by_alias=True, exclude_none=True), headers=headers)


def line_of(request: SuggestCommentScoreRequest, caller: str) -> str:
    """Returns a suggestion as a line of the file."""
    record = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "caller": caller,
        "text": request.comment.text,
        "attributes": {name[:80]: scores.summary_score.value for name, scores in request.attribute_scores.items()},
        "community_id": request.community_id and request.community_id[:200],
        "client_token": request.client_token and request.client_token[:200],
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def append(path: Path, line: str) -> None:
    """Adds a line to a file that only its owner may read; a single write, so that lines of two processes stay whole.

    Raises:
        Overloaded: The file is full.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size + len(line) > MAX_BYTES:
            raise Overloaded(f"The file of suggestions has {MAX_BYTES // MEBI} MiB; move it away.", retry_after=RETRY_S)
        os.write(descriptor, line.encode("utf-8", "replace"))
    finally:
        os.close(descriptor)
