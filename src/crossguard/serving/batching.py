"""Merges the posts of concurrent requests into one inference.

A post is prepared (tokenised, decoded) in a thread, waits for at most the max batch delay, and goes through the model
in another. The event loop does none of this work. No post waits long behind a slower kind: short texts, long texts,
ordinary images, and images whose decoding may take seconds have threads of their own, and a post of many windows or
frames goes through the model in slices, with a batch of the others before each.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from crossguard.errors import PostError
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Decision, Logits, PostFailure
from crossguard.serving import logs
from crossguard.serving.errors import BodyTooLarge, Overloaded
from crossguard.serving.slices import SlicedPost, slices
from crossguard.serving.submitted_post import SubmittedPost, is_costly, prepare
from crossguard.serving.telemetry import Telemetry

MILLISECONDS = 1000.0
LONGEST_RETRY = 30
# Characters from which a text is long: cleaning and cutting it takes many times what others take.
LONG_TEXT = 512
# Threads for long texts, and as many that wait for the processes which decode costly images.
SLOW_THREADS = 2
# Weight of the newest batch in the running mean of posts per second.
SMOOTHING = 0.1
# The error code of a post that we failed on, and not it on us.
FAILED = "internal_error"


@dataclass(slots=True, eq=False)
class _Waiting:
    """A prepared post that waits for its turn; its future is done when nobody waits for it any more."""

    moderator: Moderator
    post: Prepared
    answer: asyncio.Future[Decision]
    since: float


class RequestBatcher:
    """Scores posts in merged batches.

    Args:
        batch_posts: Most posts of one inference.
        max_delay_ms: Longest wait of a prepared post while others are being prepared.
        max_queue: Most posts accepted and not yet answered.
        threads: Threads that prepare texts, and as many for ordinary images.
        telemetry: Where batch sizes, times and outcomes are counted.
    """

    def __init__(
        self, *, batch_posts: int, max_delay_ms: float, max_queue: int, threads: int, telemetry: Telemetry
    ) -> None:
        self._batch_posts = batch_posts
        self._wait = max_delay_ms / MILLISECONDS
        self._max_queue = max_queue
        self._telemetry = telemetry
        sizes = {"text": threads, "long-text": SLOW_THREADS, "image": threads, "costly-image": SLOW_THREADS, "infer": 1}
        self._executors = {
            kind: ThreadPoolExecutor(size, thread_name_prefix=f"crossguard-{kind}") for kind, size in sizes.items()
        }
        self._waiting: deque[_Waiting] = deque()
        self._sliced: deque[tuple[_Waiting, SlicedPost]] = deque()
        self._arrived = asyncio.Event()
        self._preparing = 0
        self._rate = 0.0
        self._collector: asyncio.Task[None] | None = None
        self.pending = 0

    def start(self) -> None:
        """Begins to collect batches; call it on the event loop."""
        self._collector = asyncio.create_task(self._collect(), name="crossguard-collector")

    @property
    def alive(self) -> bool:
        """Whether batches are being collected."""
        return self._collector is not None and not self._collector.done()

    async def stop(self) -> None:
        """Ends the threads; requests must have been answered before."""
        if self._collector is not None:
            self._collector.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._collector
        for executor in self._executors.values():
            executor.shutdown(wait=False, cancel_futures=True)

    async def score(self, moderator: Moderator, posts: Sequence[SubmittedPost]) -> list[Decision]:
        """Scores the posts of one request; a bad one gets a failed decision in its place.

        Raises:
            Overloaded: The queue cannot take them now.
            BodyTooLarge: The queue could never take so many.
        """
        self._admit(len(posts))
        # A large request takes its turn in pieces, so that small ones are not kept waiting behind it.
        turns = asyncio.Semaphore(self._batch_posts)
        try:
            outcomes = await asyncio.gather(*(self._score_one(moderator, post, turns) for post in posts))
        finally:
            self.pending -= len(posts)
        self._telemetry.decided(outcomes)
        return outcomes

    def _admit(self, posts: int) -> None:
        if posts > self._max_queue:
            raise BodyTooLarge(f"A request may have {self._max_queue} posts; this one has {posts}.")
        if self.pending + posts > self._max_queue:
            seconds = min(LONGEST_RETRY, math.ceil(self.pending / self._rate)) if self._rate else 1
            raise Overloaded(
                f"The queue is full ({self.pending} of {self._max_queue} posts). Try again in {seconds} s.",
                retry_after=max(1, seconds),
            )
        self.pending += posts

    async def _score_one(self, moderator: Moderator, submission: SubmittedPost, turns: asyncio.Semaphore) -> Decision:
        try:
            async with turns:
                return await self._wait_for(moderator, await self._prepare(moderator, submission))
        except PostError as error:
            return moderator.failed(submission.id, PostFailure(error.code, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever an engine raises must reach only the post at fault
            logs.failure("post_failed", error)
            message = "Scoring this post failed; the reason is in the server's log."
            return moderator.failed(submission.id, PostFailure(FAILED, message))

    async def _wait_for(self, moderator: Moderator, post: Prepared) -> Decision:
        loop = asyncio.get_running_loop()
        entry = _Waiting(moderator, post, loop.create_future(), time.monotonic())
        pieces = slices(post)
        if len(pieces) > 1:
            self._sliced.append((entry, SlicedPost(moderator, post, pieces)))
        else:
            self._waiting.append(entry)
        self._arrived.set()
        return await entry.answer

    async def _prepare(self, moderator: Moderator, submission: SubmittedPost) -> Prepared:
        loop = asyncio.get_running_loop()
        self._preparing += 1
        begun = time.perf_counter()
        try:
            kind = "long-text" if len(submission.text) + len(submission.image_text) > LONG_TEXT else "text"
            if submission.images:
                costly = await loop.run_in_executor(self._executors["image"], is_costly, moderator, submission)
                kind = "costly-image" if costly else "image"
            return await loop.run_in_executor(self._executors[kind], prepare, moderator, submission)
        finally:
            self._preparing -= 1
            self._telemetry.stages.labels("prepare").observe(time.perf_counter() - begun)
            # Whoever waits for company learns that one less is coming.
            self._arrived.set()

    async def _collect(self) -> None:
        while True:
            await self._infer_batch(await self._next_batch())
            if self._sliced:
                await self._infer_slice(*self._sliced.popleft())

    async def _infer_batch(self, batch: Sequence[_Waiting]) -> None:
        now = time.monotonic()
        alive = [entry for entry in batch if not entry.answer.done()]
        self._telemetry.abandoned.inc(len(batch) - len(alive))
        if not alive:
            return
        for entry in alive:
            self._telemetry.stages.labels("wait").observe(max(0.0, now - entry.since))
        answers = await self._decided([(entry.moderator, entry.post) for entry in alive])
        self._measure(len(alive), time.monotonic() - now)
        for entry, answer in zip(alive, answers, strict=True):
            _settle(entry.answer, answer)

    async def _infer_slice(self, entry: _Waiting, sliced: SlicedPost) -> None:
        if entry.answer.done():
            self._telemetry.abandoned.inc()
            return
        answer: Decision | Exception | None
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._executors["infer"], sliced.step)
        except Exception as error:  # noqa: BLE001 - as in `_decided`
            answer = error
        if answer is None:
            self._sliced.append((entry, sliced))
        else:
            _settle(entry.answer, answer)

    async def _decided(self, entries: Sequence[tuple[Moderator, Prepared]]) -> list[Decision | Exception]:
        """Runs the model; whatever goes wrong is an answer, because a collector that ends would stop the service."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executors["infer"], decide_all, entries)
        except Exception as error:  # noqa: BLE001 - see above
            return [error] * len(entries)

    async def _next_batch(self) -> list[_Waiting]:
        while not self._waiting:
            if self._sliced:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        latest = self._waiting[0].since + self._wait
        while self._preparing and len(self._waiting) < self._batch_posts and (left := latest - time.monotonic()) > 0:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), left)
        return [self._waiting.popleft() for _ in range(min(self._batch_posts, len(self._waiting)))]

    def _measure(self, posts: int, seconds: float) -> None:
        self._telemetry.batches.observe(posts)
        self._telemetry.stages.labels("infer").observe(seconds)
        rate = posts / max(seconds, 1e-6)
        self._rate = rate if not self._rate else (1 - SMOOTHING) * self._rate + SMOOTHING * rate


def decide_all(entries: Sequence[tuple[Moderator, Prepared]]) -> list[Decision | Exception]:
    """Scores prepared posts that may belong to different policies, and during a reload to different models.

    Posts of one loaded model go through it together; then each policy decides its own. When an inference fails, its
    posts are tried one by one, so that only the one at fault gets the error.
    """
    answers: list[Decision | Exception] = [RuntimeError("not decided")] * len(entries)
    by_model: dict[int, list[int]] = {}
    for index, (moderator, _) in enumerate(entries):
        by_model.setdefault(id(moderator.runtime), []).append(index)
    for indices in by_model.values():
        for index, answer in zip(indices, _decide_group([entries[i] for i in indices]), strict=True):
            answers[index] = answer
    return answers


def _decide_group(entries: Sequence[tuple[Moderator, Prepared]]) -> list[Decision | Exception]:
    try:
        logits = entries[0][0].infer([post for _, post in entries])
        return _decide_per_policy(entries, logits)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises must reach only the post at fault
        if len(entries) == 1:
            return [error]
        return [answer for entry in entries for answer in _decide_group([entry])]


def _decide_per_policy(entries: Sequence[tuple[Moderator, Prepared]], logits: Logits) -> list[Decision | Exception]:
    answers: list[Decision | Exception] = [RuntimeError("not decided")] * len(entries)
    by_policy: dict[int, list[int]] = {}
    for index, (moderator, _) in enumerate(entries):
        by_policy.setdefault(id(moderator), []).append(index)
    for indices in by_policy.values():
        part = logits.take(np.array(indices))
        decisions = entries[indices[0]][0].decide([entries[index][1] for index in indices], part)
        for index, decision in zip(indices, decisions, strict=True):
            answers[index] = decision
    return answers


def _settle(future: asyncio.Future[Decision], answer: Decision | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
