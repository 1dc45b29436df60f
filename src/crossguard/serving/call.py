"""One request on its way through an interface: who calls, with what body, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from crossguard.moderator import Moderator
from crossguard.records import Decision, Outcome, Skipped
from crossguard.serving.batching import FAILED
from crossguard.serving.bodies import BodyReader
from crossguard.serving.errors import (
    BodyTooLarge,
    CallerGone,
    Forbidden,
    InternalError,
    Overloaded,
    TooManyPosts,
    Unauthorized,
    Unscorable,
    UnsupportedBody,
)
from crossguard.serving.json_bodies import JSON, validated
from crossguard.serving.keys import ANONYMOUS
from crossguard.serving.service import Service
from crossguard.serving.submission import Submission

M = TypeVar("M", bound=BaseModel)


class Access(Enum):
    """Who may use an endpoint."""

    OPEN = "everybody"
    KEY = "a caller with a key, where keys are in use"
    ADMIN = "a caller whose key is an admin's"


@dataclass(slots=True)
class Exchange:
    """What the log and the metrics learn about a request while it is answered."""

    request_id: str
    interface: str = "none"
    route: str = "unmatched"
    caller: str = ""
    posts: int = 0
    code: str = ""


class Call:
    """A request, its caller, and the service."""

    def __init__(self, request: Request, service: Service) -> None:
        self.request = request
        self.service = service
        self.settings = service.settings
        self.engine = service.engine
        self.exchange: Exchange = request.scope["crossguard"]
        self.caller = ANONYMOUS
        self.body = BodyReader(request, self.settings, service.budget)

    @property
    def moderator(self) -> Moderator:
        """Who scores for this caller."""
        return self.engine.moderator(self.caller)

    @property
    def content_type(self) -> str:
        """Media type of the body without parameters."""
        return self.request.headers.get("content-type", JSON).partition(";")[0].strip().lower()

    def admit(self, access: Access) -> None:
        """Checks key and rate.

        Raises:
            Unauthorized: The key is missing or unknown.
            Forbidden: It may not do this.
            TooManyPosts: It is over its rate.
        """
        if access is Access.OPEN:
            return
        caller = self.engine.keys.identify(presented_key(self.request))
        if caller is None:
            raise Unauthorized("A valid API key is needed: send 'Authorization: Bearer KEY'.")
        self.caller, self.exchange.caller = caller, caller.name
        if access is Access.ADMIN and not caller.admin:
            raise Forbidden("This needs an API key with 'admin: true'.")
        seconds = self.service.rates.wait(caller.name, self._rate)
        if seconds:
            raise TooManyPosts(
                f"Over {self._rate} posts per minute. Try again in {seconds} s.",
                retry_after=seconds,
            )

    async def parse(self, model: type[M]) -> M:
        """Returns the JSON body as a model.

        Raises:
            UnsupportedBody: It is not JSON by its content type.
            BadRequest: It is not valid JSON, or breaks a rule; names all of them.
        """
        if self.content_type != JSON:
            raise UnsupportedBody(f"The body must be {JSON}, and is '{self.content_type[:80]}'.")
        return validated(model, await self.body.read())

    async def score(self, posts: Sequence[Submission]) -> list[Outcome]:
        """Scores posts; stops the work when the caller hangs up.

        Raises:
            BodyTooLarge: More posts, or images in one of them, than a request may have.
            CallerGone: The caller hung up.
            Overloaded: The queue is full.
        """
        self._check_sizes(posts)
        self.exchange.posts = len(posts)
        self.service.rates.spend(self.caller.name, self._rate, len(posts))
        work = asyncio.ensure_future(self.service.score(self.moderator, posts))
        # The body has been read, so the next message can only be that the caller is gone.
        gone = asyncio.ensure_future(self.request.receive())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise CallerGone("The caller hung up.")
        except Overloaded:
            # What was refused is not paid for.
            self.service.rates.spend(self.caller.name, self._rate, -len(posts))
            raise
        finally:
            gone.cancel()
            work.cancel()

    async def score_one(self, post: Submission) -> Decision:
        """Scores one post.

        Raises:
            Unscorable: It cannot be scored; the code is the reason.
            InternalError: We failed on it.
        """
        return scored((await self.score([post]))[0])

    @property
    def _rate(self) -> int:
        own = self.caller.posts_per_minute
        return self.settings.posts_per_minute if own is None else own

    def _check_sizes(self, posts: Sequence[Submission]) -> None:
        if len(posts) > self.settings.max_posts:
            raise BodyTooLarge(f"A request may have {self.settings.max_posts} posts; this one has {len(posts)}.")
        images = max((len(post.images) for post in posts), default=0)
        if images > self.settings.max_images:
            raise BodyTooLarge(f"A post may have {self.settings.max_images} images; one of these has {images}.")


def scored(outcome: Outcome) -> Decision:
    """Returns the decision of a post that a whole request is about.

    Raises:
        Unscorable: There is none; the code is the reason.
        InternalError: We failed on it.
    """
    if isinstance(outcome, Skipped):
        kind = InternalError if outcome.reason == FAILED else Unscorable
        raise kind(outcome.message, code=outcome.reason)
    return outcome


def presented_key(request: Request) -> str | None:
    """Returns the key of a request: a bearer token, `x-api-key`, or the query parameter that Google's clients send."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.headers.get("x-api-key") or request.query_params.get("key")
