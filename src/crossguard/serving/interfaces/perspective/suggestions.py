"""`comments:suggestscore`: people say what a score should have been.

Kept only where the operator names a file, a review console, or both.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.responses import Response

from crossguard.errors import ConfigError
from crossguard.serving.call import Call
from crossguard.serving.errors import BadRequest, Overloaded
from crossguard.serving.interfaces.perspective.attributes import check_language, declared_other, known_languages
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
    """Keeps a suggestion where the operator wants it, and otherwise only says that it came."""
    request = await call.parse(SuggestCommentScoreRequest, plain=True)
    if not request.comment.text.strip():
        raise BadRequest("comment.text: the comment is empty.", code="comment_empty")
    if not 1 <= len(request.attribute_scores) <= MAX_ATTRIBUTES:
        raise BadRequest(f"attributeScores: 1 to {MAX_ATTRIBUTES} are needed.", code="no_attribute_scores")
    if len(request.comment.text) > MAX_TEXT:
        raise BadRequest(f"comment.text: a comment may have {MAX_TEXT} characters.", code="comment_too_long")
    other = declared_other(request.languages, known_languages(call))
    check_language(other, request.attribute_scores, call)
    record = record_of(request, call.caller)
    path, review = call.settings.suggestions, call.service.review
    if path is not None:
        await asyncio.to_thread(append, path, json.dumps(record, ensure_ascii=False) + "\n")
    if review is not None:
        review.put_suggestion(record)
    answer = SuggestCommentScoreResponse(
        client_token=request.client_token, requested_languages=request.languages or None
    )
    headers = {"x-crossguard-stored": "true" if path is not None or review is not None else "false"}
    return as_json(answer.model_dump(by_alias=True, exclude_none=True), headers=headers)


def record_of(request: SuggestCommentScoreRequest, caller: str) -> dict[str, Any]:
    """Returns a suggestion as the file keeps it, one JSON line each."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "caller": caller,
        "text": request.comment.text,
        "attributes": {name[:80]: scores.summary_score.value for name, scores in request.attribute_scores.items()},
        "community_id": request.community_id and request.community_id[:200],
        "client_token": request.client_token and request.client_token[:200],
    }


def append(path: Path, line: str) -> None:
    """Adds a line to a file that only its owner may read; a single write, so that lines of two processes stay whole.

    Raises:
        Overloaded: The file is full.
        OSError: The disk is.
    """
    data = line.encode("utf-8", "replace")
    descriptor = _opened(path)
    try:
        if os.fstat(descriptor).st_size + len(data) > MAX_BYTES:
            raise Overloaded(f"The file of suggestions has {MAX_BYTES // MEBI} MiB; move it away.", retry_after=RETRY_S)
        written = os.write(descriptor, data)
        if written < len(data):
            # The next line would join the half of this one, which begins where the write did.
            os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR) - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def check_file(path: Path) -> None:
    """Raises ConfigError where no line can be added to a file, which is made where there is none."""
    try:
        os.close(_opened(path))
    except OSError as error:
        raise ConfigError(f"Cannot write suggestions to {path}: {error.strerror}.") from None


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
