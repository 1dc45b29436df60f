"""One request on its way through an interface: who calls, with what body, and what comes of it."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from crossguard.cost import TEXT_BYTES, cost_of
from crossguard.engine import FAILED
from crossguard.errors import number_of
from crossguard.listening import network_of
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post
from crossguard.serving.bodies import OPEN_BODY_BYTES, BodyReader, charset_of, decoded
from crossguard.serving.errors import (
    BodyTooLarge,
    ClientDisconnected,
    Forbidden,
    InternalError,
    Overloaded,
    Unauthorized,
    Unscorable,
    UnsupportedBody,
)
from crossguard.serving.json_bodies import JSON, LEAST_VALUES, VALUES_PER_POST, check_values, validated
from crossguard.serving.keys import ANONYMOUS, KeyEntry, identify, presented_key
from crossguard.serving.service import Service
from crossguard.serving.submitted_post import check_images, check_posts, is_remote
from crossguard.wire import refusal_of

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
    """A request, its caller, the service, and what a right body looks like."""

    def __init__(self, request: Request, service: Service, example: Any = None) -> None:
        self.request = request
        self.example = example
        self.service = service
        self.settings = service.settings
        self.served = service.served
        self.exchange: Exchange = request.scope["crossguard"]
        self.deadline = inf  # of the answer, by the clock of the event loop
        self.caller = ANONYMOUS
        self._key: KeyEntry | None = None
        self._payer = ""  # whose posts are counted: a key's, and without keys those of a client address
        self.body = BodyReader(request, self.settings, service.budget, service.discards)
        # Media type of the body without parameters
        self.content_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()

    @property
    def moderator(self) -> Moderator:
        """Who scores for this caller."""
        return self.served.moderator(self.caller)

    def admit(self, access: Access, *, scores: bool) -> None:
        """Checks the content type, the key and the rate, and counts the body before it is read.

        Args:
            access: Who may use the endpoint.
            scores: Whether it takes posts.

        Raises:
            Unauthorized: The key is missing or unknown.
            Forbidden: It may not do this.
            TooManyPosts: The caller is over its rate.
            UnsupportedBody: The content type is so long that reading it would hold up all others.
        """
        if told := refusal_of(self.request.headers.get("content-type")):
            raise UnsupportedBody(told)
        if access is Access.OPEN:
            self.body.narrow(OPEN_BODY_BYTES, self.service.open_budget)
            return
        keys = self.served.keys
        caller = identify(keys, presented_key(self.request)) if keys else ANONYMOUS
        if caller is None:
            raise Unauthorized("A valid API key is needed: send 'Authorization: Bearer KEY'.")
        self.caller = self.exchange.caller = caller
        self._key = keys.get(caller)
        client = self.request.client
        self._payer = caller if keys else network_of(client.host if client is not None else "")
        if access is Access.ADMIN and (self._key is None or not self._key.admin):
            raise Forbidden("This needs an API key with 'admin: true'.")
        if scores:
            self.service.rates.check(self._payer, self._rate)
            self.service.body_rates.reserve(self._payer, self._rate)

    async def parse(self, model: type[M], *, plain: bool = False) -> M:
        """Returns the JSON body as a model.

        Args:
            model: What it is read as.
            plain: Whether JSON may come as text/plain, which is what `fetch` says when a script says nothing. From a
                web page it may only where that is listed: a browser sends it to a service on this machine unasked.

        Raises:
            UnsupportedBody: It is not JSON by its content type, or in another character set.
            BodyTooLarge: It has more values than so many posts can have.
        """
        origin = self.request.headers.get("origin")
        listed = origin is None or not {origin, "*"}.isdisjoint(self.settings.cors_origins)
        unsaid = plain and self.content_type == "text/plain" and listed
        if self.content_type != JSON and not unsaid:
            raise UnsupportedBody(
                f"The body must be {JSON}, and is '{self.content_type[:80]}'. Send the header 'content-type: {JSON}'."
            )
        charset = charset_of(self.request)
        body = (await self.body.read()).removeprefix(codecs.BOM_UTF8)
        text = body if charset == "utf-8" else decoded(body, charset).encode()
        check_values(text, max(LEAST_VALUES, self.settings.max_posts * VALUES_PER_POST))
        return validated(model, text, self.example, self.settings)

    async def score(
        self,
        posts: Sequence[Post],
        *,
        parts: bool = False,
        review: bool = False,
        named: bool = True,
        any_language: bool = False,
    ) -> list[Decision]:
        """Scores posts; stops the work when the caller hangs up. `Service.score` has the meaning of the arguments.

        Raises:
            Overloaded: The queue is full.
        """
        self._check_sizes(posts)
        self.exchange.posts = len(posts)
        windows = self.moderator.bundle.manifest.text.windows
        read = (post for post in posts if post.error is None)
        cost = max(1, sum(cost_of((post.text, post.image_text), len(post.images), windows) for post in read))
        counted = self._counted(len(posts), cost)
        self.service.rates.reserve(self._payer, self._rate, counted)
        try:
            async with while_connected(self.request):
                return await self.service.score(
                    self.moderator,
                    posts,
                    cost,
                    self._payer,
                    parts=parts,
                    review=review,
                    named=named,
                    any_language=any_language,
                )
        except Overloaded:
            # What we refuse does not count.
            self.service.rates.give_back(self._payer, counted)
            self.service.body_rates.give_back(self._payer, 1)
            raise

    @property
    def _rate(self) -> int:
        own = self._key.posts_per_minute if self._key is not None else None
        return self.settings.posts_per_minute if own is None else own

    def _counted(self, posts: int, cost: int) -> int:
        """Returns what the rate counts; a single post, however long, is no more than a whole minute of it.

        Raises:
            BodyTooLarge: More than the caller may send in a minute.
        """
        if self._rate == 0 or cost <= self._rate:
            return cost
        if posts == 1:
            return self._rate
        raise BodyTooLarge(
            f"This caller may send {number_of(self._rate, 'post')} per minute; these are {posts}, which count as "
            f"{cost}; each further {TEXT_BYTES} bytes of text and each further image count as a post.",
            code="too_many_posts",
        )

    def _check_sizes(self, posts: Sequence[Post]) -> None:
        check_posts(len(posts), self.settings)
        remote, most = sum(is_remote(image) for post in posts for image in post.images), self.settings.fetch_max
        if remote > most:
            raise BodyTooLarge(
                f"A request may have {number_of(most, 'image')} to fetch (fetch_max); this one has {remote}. "
                "Send fewer at once, or the images themselves as data: URLs.",
                code="too_many_fetches",
            )
        check_images(max((len(post.images) for post in posts), default=0), self.settings)


def scored(decision: Decision) -> Decision:
    """Returns the decision of a post that a whole request is about."""
    error = decision.error
    if error is not None:
        kind = InternalError if error.code == FAILED else Unscorable
        raise kind(error.message, code=error.code)
    return decision


@contextlib.asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Runs a block that is cancelled when the client disconnects.

    Args:
        request: Its body has been read, so the next message can only be that the client is gone.

    Raises:
        ClientDisconnected: It did.
    """
    gone = asyncio.ensure_future(request.receive())
    try:
        async with asyncio.timeout(None) as block:

            def end(_: object) -> None:
                with contextlib.suppress(RuntimeError):  # the block has ended
                    block.reschedule(0)

            gone.add_done_callback(end)
            yield
    except TimeoutError:
        if block.expired():
            raise ClientDisconnected("The client disconnected.") from None
        raise
    finally:
        gone.cancel()
