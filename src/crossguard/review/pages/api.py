"""For programs: posts and appeals in, with a key. Answers and errors are JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import Field
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crossguard.checked_settings import StrictModel, parse
from crossguard.review.console import Console
from crossguard.review.errors import FormError, NotFoundError, ReviewError
from crossguard.review.pages.visit import Endpoint
from crossguard.review.settings import APPEALS
from crossguard.review.store import items, keys
from crossguard.review.store.schema import HOUR
from crossguard.review.store.schema import items as table
from crossguard.review.submissions import Sent, Submission

MAX_POSTS = 1000
AT_ONCE: Final = 4
"""Calls that are worked on at once; the other threads of the console are for people."""
MOST_WAITING: Final = 16
RETRY_S: Final = 5
M = TypeVar("M", bound=StrictModel)
NO_KEY = "Send a key of this console as 'Authorization: Bearer KEY'. An admin makes one on the page People."


class SubmittedPosts(StrictModel):
    """The body of `POST /api/items`."""

    items: list[Submission] = Field(min_length=1, max_length=MAX_POSTS)


def receive(console: Console, batch: SubmittedPosts, now: float) -> dict[str, Any]:
    """Takes posts; those without a decision are scored first."""
    return console.intake.take(console.with_decisions(batch.items), now).to_dict()


class Turns:
    """Lets few calls of programs be worked on at once, and some wait with what they sent."""

    def __init__(self) -> None:
        self.turn = asyncio.Semaphore(AT_ONCE)
        self.calls = 0  # which have a key, and no answer yet

    @property
    def are_taken(self) -> bool:
        """Whether another call would be one too many."""
        return self.calls >= AT_ONCE + MOST_WAITING


def call(model: type[M], function: Callable[[Console, M, float], dict[str, Any]]) -> Endpoint:
    """Returns the endpoint of a function: a key, a JSON object of this model in, a JSON object out.

    Where too many calls wait, another is refused (503) before its body is read.
    """

    def answer(console: Console, body: bytes) -> Response:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:  # also where a number has thousands of digits
            return error_answer("json_invalid", f"The body is not JSON: {error}.", 400)
        try:
            if not isinstance(content, dict):
                raise FormError('The body must be a JSON object. Posts go into {"items": [{"id": ..., "text": ...}]}.')
            return JSONResponse(function(console, parse(model, content, "The body"), console.now()))
        except RecursionError:
            return error_answer("json_invalid", "The body has too many lists or objects inside each other.", 400)

    async def endpoint(request: Request) -> Response:
        console: Console = request.app.state.console
        if not await run_in_threadpool(_has_key, console, request):  # first, as a body may be large
            return error_answer("key_invalid", NO_KEY, 401)
        turns: Turns = request.app.state.turns
        if turns.are_taken:
            refused = error_answer("busy", f"{turns.calls} calls wait already. Send this one again in a moment.", 503)
            refused.headers["retry-after"] = str(RETRY_S)
            return refused
        turns.calls += 1
        try:
            body = await request.body()
            async with turns.turn:
                return await run_in_threadpool(answer, console, body)
        finally:
            turns.calls -= 1

    return endpoint


def _has_key(console: Console, request: Request) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    with console.database.read() as db:
        return scheme.lower() == "bearer" and keys.owner(db, key.strip()) is not None


def error_answer(code: str, message: str, status: int) -> Response:
    """Returns the answer that refuses a request."""
    return JSONResponse({"error": {"code": code, "message": message}}, status)


class Appeal(Sent):
    """The body of `POST /api/appeals`."""

    id: str = Field(min_length=1, max_length=500, description="The caller's id of the appeal.")
    source: str = Field(default="api", max_length=64, description="Source of the post.")
    post: str = Field(max_length=512, description="The source's id of the post that was decided.")
    reason: str = Field(default="", max_length=4000, description="What the person says.")


def take_appeal(console: Console, appeal: Appeal, now: float) -> dict[str, Any]:
    """Stores an appeal in its queue; sending it again changes nothing. The outcome goes out as `appeal.decided`.

    Raises:
        NotFoundError: The post was never sent here, or nobody needed to see it.
        ReviewError: It is not decided yet, or its content is deleted; or the id is that of an appeal for another post.
    """
    with console.database.write() as tx:
        known = (table.c.kind == "appeal", table.c.source == appeal.source, table.c.external == appeal.id)
        before = tx.execute(select(table.c.id, table.c.appeal_of).where(*known)).first()
        if before is not None:
            about = items.get(tx, before.appeal_of)
            if appeal.post not in {about.external, items.own_id(about)}:  # the post may have been edited since
                raise ReviewError(
                    f"The appeal '{appeal.id}' is about the post '{about.external}'. Give this one its own id."
                )
            return {"item": before.id, "known_already": True}
        earlier = items.earlier_version(tx, appeal.source, appeal.post)
        told = f" Its earlier version, which is decided, is '{earlier}'." if earlier else ""
        try:
            found = items.find(tx, appeal.source, appeal.post)
        except NotFoundError as error:
            raise (ReviewError if earlier else NotFoundError)(f"{error}{told}") from None
        row = items.get(tx, found.id, lock=True)  # nobody undoes it meanwhile
        if row.state != "decided":
            raise ReviewError(
                f"The post '{appeal.post}' is not decided yet, so there is nothing to appeal against.{told}"
            )
        if row.erased_at is not None:
            raise NotFoundError(f"The content of the post '{appeal.post}' is deleted, so nobody can look at it again.")
        place = {"kind": "appeal", "queue": APPEALS, "state": "open", "received_at": now, "urgency": -now / HOUR}
        own = {"external": appeal.id, "version_of": None, "appeal_of": row.id, "reports": 0}
        made = items.copy(tx, row, **place, **own, appeal_reason=appeal.reason)
    return {"item": made, "known_already": False}
