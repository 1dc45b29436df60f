"""The running service: model, guards and metrics, shared by all interfaces."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from crossguard.data.image_worker import close_image_workers
from crossguard.errors import CrossguardError, PostError
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post, PostFailure
from crossguard.serving import logs
from crossguard.serving.admission import Admission
from crossguard.serving.bodies import DISCARDED_PER_SECOND, OPEN_BUDGET_BYTES, BodyBudget, BodyHold
from crossguard.serving.fetching import Fetcher
from crossguard.serving.rates import Pace, RateLimiter
from crossguard.serving.review_queue import ReviewQueue
from crossguard.serving.served import Served, load_served
from crossguard.serving.settings import ServeSettings
from crossguard.serving.submitted_post import is_remote
from crossguard.serving.telemetry import Telemetry

T = TypeVar("T")


class Answers:
    """Awaits futures of threads in one event loop: all that is ready in one turn.

    A batch answers some twenty requests at once. Woken for each, as by `asyncio.wrap_future`, the loop would take the
    interpreter after the first of them from the thread that answers the others.
    """

    def __init__(self) -> None:
        self._ready: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._waking = False

    async def of(self, computed: Future[T]) -> T:
        """Returns what a thread computes; cancels it where nobody waits any more."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def done(computed: Future[T]) -> None:
            self._ready.append((answer, computed))
            # Set back before what is ready is taken, so that nothing stays.
            if not self._waking:
                self._waking = True
                with contextlib.suppress(RuntimeError):  # the loop was closed
                    loop.call_soon_threadsafe(self._deliver)

        computed.add_done_callback(done)
        try:
            return await answer
        finally:
            computed.cancel()

    def _deliver(self) -> None:
        self._waking = False
        while self._ready:
            answer, computed = self._ready.popleft()
            if answer.done():
                continue
            if computed.cancelled():
                answer.cancel()
            elif (error := computed.exception()) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(computed.result())


class Service:
    """State of one process; made on the event loop's thread before it runs.

    Attributes:
        served: What is being served; requests read it once and keep it.
        draining: Whether the process is about to stop.
    """

    def __init__(self, settings: ServeSettings, served: Served) -> None:
        self.settings = settings
        self.served = served
        self.telemetry = Telemetry()
        self.rates = RateLimiter()
        # Bodies with posts, of which a caller may send no more than posts: what cannot be scored is read, too.
        self.body_rates = RateLimiter()
        self.budget = BodyBudget(settings.max_buffered_bytes)
        self.open_budget = BodyBudget(OPEN_BUDGET_BYTES)
        self.discards = Pace(DISCARDED_PER_SECOND)
        self.fetcher = Fetcher(
            settings.fetch_origins,
            private=settings.fetch_private,
            timeout_s=settings.fetch_timeout_s,
            max_bytes=settings.max_image_bytes,
            per_minute=settings.fetch_per_minute,
        )
        self.admission = Admission(settings.max_queue)
        self.review = (
            ReviewQueue(
                settings.review_queue, settings.review_key, settings.review_source, self.telemetry.lost_for_review
            )
            if settings.review_queue
            else None
        )
        self.draining = False
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[CrossguardError | None]] = set()
        self._answers = Answers()
        self.telemetry.queue.set_function(lambda: self.admission.pending)
        self.telemetry.buffered.set_function(lambda: self.budget.held)
        self._announce()

    async def start(self) -> None:
        """Begins to answer."""
        if self.review is not None:
            self.review.start()

    async def stop(self) -> None:
        """Ends threads, processes and connections, after the last answer."""
        close_image_workers()
        await asyncio.to_thread(self.served.base.close)
        await self.fetcher.close()
        if self.review is not None:
            await asyncio.to_thread(self.review.stop)

    async def score(
        self,
        moderator: Moderator,
        posts: Sequence[Post],
        cost: int,
        caller: str,
        *,
        parts: bool = False,
        review: bool = False,
        named: bool = True,
        any_language: bool = False,
    ) -> list[Decision]:
        """Fetches what lies on the web, if allowed, and scores; a bad post gets a failed decision in its place.

        Args:
            moderator: Who scores.
            posts: What.
            cost: Of all of them.
            caller: Whose they are.
            parts: Whether all but the first are sentences of it, and in metrics no posts of their own.
            review: Whether they go to the review console, too, where there is one.
            named: Whether their ids are the caller's; else they are names of uploaded files, which may recur.
            any_language: Whether they are scored also where posts in another language are skipped.
        """
        with BodyHold(self.budget) as hold:
            if any(is_remote(image) for post in posts for image in post.images):
                posts = await asyncio.gather(*(self._fetched(post, hold) for post in posts))
            # Of a failed post nothing is read or decoded in vain.
            submitted = [post if post.error is None else Post(post.id, error=post.error) for post in posts]
            with self.admission.hold(len(posts), cost):
                decisions = await self._answers.of(moderator.submit(submitted, caller, any_language=any_language))
            self.telemetry.decided(decisions[:1] if parts else decisions)
            if review and self.review is not None:
                self.review.put(posts, decisions, named=named)
            return decisions

    def reload(self) -> asyncio.Task[CrossguardError | None]:
        """Reads model, policies and keys again, and serves them from the next request on.

        Requests in flight finish with the old ones. It ends also where nobody waits for it: a large model takes longer
        than a request may.

        Returns:
            Why they cannot be used, and the old ones stay; the log and the metrics tell the outcome, too.
        """
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return task

    async def _reload(self) -> CrossguardError | None:
        async with self._reloading:
            try:
                self.served = await asyncio.to_thread(load_served, self.settings)
            except CrossguardError as error:
                self.telemetry.reloads.labels("failed").inc()
                logs.event("reload_failed", 40, message=str(error))
                return error
            self.telemetry.reloads.labels("done").inc()
            self._announce()
            return None

    def _announce(self) -> None:
        base = self.served.base
        base.observe(self.telemetry)
        model = base.bundle.manifest.model
        self.telemetry.serving(model.name, model.version, base.policy.name, base.runtime.name)
        logs.event(
            "serving",
            model=model.name,
            version=model.version,
            policy=base.policy.name,
            policy_version=base.policy.version,
            runtime=base.runtime.name,
            keys=len(self.served.keys),
        )

    async def _fetched(self, post: Post, hold: BodyHold) -> Post:
        try:
            images = [await self.fetcher.fetch(image, hold) if is_remote(image) else image for image in post.images]
        except PostError as error:
            return replace(post, error=PostFailure.of(error))
        return replace(post, image=None, more_images=tuple(images))
