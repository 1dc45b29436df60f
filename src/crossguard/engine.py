"""The engine that turns posts into decisions, for files, Python and HTTP alike.

`stream` takes posts in order and in batches that depend on them alone, so that a file gives the same scores. `submit`
takes the posts of concurrent requests, which share batches: a batch starts at once while the model is idle, and else
gathers posts until it is full or the max batch delay is over. Every queue is fair between callers. No post waits long
behind a slower kind: long texts, and images whose decoding may take seconds, are prepared by threads of their own, and
a post of many windows or frames goes through the model in slices, in batches of their own.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from crossguard.checked_settings import check_count
from crossguard.errors import InputError, PostError
from crossguard.machine import available_cores
from crossguard.preparation import Preparation
from crossguard.preprocessing.batch import Prepared
from crossguard.queueing import FairQueue
from crossguard.records import Decision, Logits, Post, PostFailure
from crossguard.slices import merged, slices, stacked

BATCH_SIZE: Final = 64
# Batches of `stream`: the first one is small, so that the model does not wait for it; each next one has twice as many,
# because the last job of a batch is not full. One with so many images has enough.
FIRST_BATCH: Final = 32
LARGEST_BATCH: Final = 128
IMAGES: Final = 64
# Enough that no stage waits for another, few enough that memory stays flat. Two batches are inferred at once, so that
# the cores have work while the last jobs of a batch finish.
PREPARED_AHEAD: Final = 1
INFERRED_AHEAD: Final = 2
# Characters from which a text is long: cleaning and cutting it takes many times what others take.
LONG_TEXT: Final = 512
# Characters from which it takes so many that it is left to a process.
VERY_LONG_TEXT: Final = 4096
# Threads for posts that take long to prepare: one for long texts, whose cleaning holds the interpreter, one that waits
# for the process of very long ones, and two for images, which are decoded in processes of their own.
SLOW_THREADS: Final = {"slow-text": 1, "very-slow-text": 1, "slow-image": 2}
# Slices have batches of their own: one at a time while other posts came within so many seconds; and while others are on
# their way, after each a pause of so many times its length.
OTHERS_S: Final = 1.0
PAUSE: Final = 2.0
# The error code of a post that we failed on, and not it on us.
FAILED: Final = "internal_error"
CLOSED: Final = "This moderator was closed. Load another one: crossguard.load(...)"

Infer = Callable[[Sequence[Prepared]], Logits]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What bounds the batches of `submit`."""

    posts: int = BATCH_SIZE  # what the posts of a batch cost at most together, but for its last one
    # Max batch delay: how long a post waits for others while another batch is in the model, in seconds
    delay_s: float = 0.0


class Decider(Protocol):
    """Decides about posts by one policy: a moderator, whose methods these are."""

    def decide(self, posts: Sequence[Prepared], logits: Logits) -> list[Decision]: ...  # noqa: D102
    def failed(self, id_: str, error: PostFailure) -> Decision: ...  # noqa: D102


class Observer:
    """Is told by the threads of the engine what `submit` does; this one does not listen."""

    def stage(self, name: str, seconds: float) -> None:
        """A batch was prepared (`prepare`) or inferred (`infer`), or its oldest post waited (`wait`)."""

    def inferred(self, posts: int, seconds: float) -> None:
        """A batch went through the model."""

    def abandoned(self, posts: int) -> None:
        """Posts were dropped because nobody waits for them."""

    def fault(self, error: Exception) -> None:
        """A post failed for a reason that is ours."""


@dataclass(slots=True, eq=False)
class _Request:
    posts: Sequence[Post]
    decider: Decider
    caller: str
    any_language: bool
    answer: Future[list[Decision]] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    decisions: dict[int, Decision] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Entry:
    """A post on its way: what it was prepared to, its slices that are left, and what the model said of the others."""

    request: _Request
    index: int
    cost: int
    whole: Prepared | None = None
    left: list[Prepared] = field(default_factory=list)
    done: list[Logits] = field(default_factory=list)

    @property
    def post(self) -> Post:
        return self.request.posts[self.index]

    @property
    def characters(self) -> int:
        return len(self.post.text) + len(self.post.image_text)

    def put_into(self, queue: FairQueue[_Entry], cost: int = 1) -> None:
        queue.put(self, caller=self.request.caller, request=self.request, cost=cost)


def up_to_error(posts: Iterable[Post], raised: list[Exception], kind: type[Exception] = Exception) -> Iterator[Post]:
    """Yields posts until their source fails, and puts that into `raised`: a queue does not give them a second time."""
    try:
        yield from posts
    except kind as error:  # for the caller to raise again, later
        raised.append(error)


def _batches(posts: Iterable[Post], size: int | None) -> Iterator[list[Post]]:
    """Yields batches of so many posts, or of growing numbers."""
    batch: list[Post] = []
    images, most = 0, size or FIRST_BATCH
    for post in posts:
        batch.append(post)
        images += len(post.images)
        if len(batch) == most or (size is None and images >= IMAGES):
            yield batch
            batch, images, most = [], 0, size or min(2 * most, LARGEST_BATCH)
    if batch:
        yield batch


class ScoringEngine:
    """Threads that carry posts through `preparation` and `infer`. Safe to share between threads.

    Args:
        preparation: Tokenises and decodes.
        infer: Runs the model on prepared posts.
        limits: Of the batches that `submit` forms.

    Attributes:
        observer: Is told what `submit` does.
    """

    def __init__(self, preparation: Preparation, infer: Infer, limits: BatchLimits | None = None) -> None:
        self._preparation = preparation
        self._infer = infer
        self._limits = limits or BatchLimits()
        self._sliced_posts = max(1, available_cores() // INFERRED_AHEAD)
        self._others_came = -OTHERS_S
        self.observer = Observer()
        sizes = {"prepare": PREPARED_AHEAD, "infer": INFERRED_AHEAD, **SLOW_THREADS}
        # Threads start with the first job that needs them.
        self._threads = {name: ThreadPoolExecutor(size, f"crossguard-{name}") for name, size in sizes.items()}
        self._changed = threading.Condition()
        self._waiting: FairQueue[_Entry] = FairQueue()
        self._slow: dict[str, FairQueue[_Entry]] = {name: FairQueue() for name in SLOW_THREADS}
        self._ready: FairQueue[_Entry] = FairQueue()
        self._sliced: FairQueue[_Entry] = FairQueue()
        self._slicing = 0
        self._slice_from = 0.0
        self._gathering = False
        self._batches = 0
        self._closed = False
        self._unanswered: set[Future[list[Decision]]] = set()
        self._progress = time.monotonic()

    def check_open(self) -> None:
        """Raises InputError where the engine was closed."""
        if self._closed:
            raise InputError(CLOSED)

    def close(self) -> None:
        """Ends the threads; what `submit` has not answered fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for threads in self._threads.values():
            threads.shutdown(cancel_futures=True)
        with self._changed:  # another thread may close, too
            left, self._unanswered = self._unanswered, set()
        for answer in left:
            if not answer.done() and answer.set_running_or_notify_cancel():
                answer.set_exception(InputError(CLOSED))

    def _forget(self, answer: Future[list[Decision]]) -> None:
        self._unanswered.discard(answer)

    def stalled_s(self) -> float:
        """Returns for how many seconds no batch has been finished, while there are some."""
        return time.monotonic() - self._progress if self._batches else 0.0

    def stream(self, posts: Iterable[Post], batch_size: int | None = None) -> Iterator[tuple[list[Prepared], Logits]]:
        """Yields batches with what the model says of them, in the order of the posts and in constant memory.

        Whatever the model raises is raised here; what the posts raise, once all that came before is yielded.

        Raises:
            ConfigError: `batch_size` is no number of posts.
            InputError: The engine was closed meanwhile.
        """
        check_count(batch_size, "batch_size", least=1)
        pending: deque[tuple[Future[list[Prepared]], Future[Logits]]] = deque()
        raised: list[Exception] = []
        try:
            for batch in _batches(up_to_error(posts, raised), batch_size):
                pending.append(self._start(batch))
                if len(pending) > PREPARED_AHEAD + INFERRED_AHEAD:
                    prepared, logits = pending.popleft()
                    yield prepared.result(), logits.result()
            while pending:
                prepared, logits = pending.popleft()
                yield prepared.result(), logits.result()
        except (RuntimeError, CancelledError):
            self.check_open()
            raise
        finally:
            for prepared, logits in pending:
                prepared.cancel()
                logits.cancel()
        if raised:
            raise raised[0]

    def _start(self, batch: Sequence[Post]) -> tuple[Future[list[Prepared]], Future[Logits]]:
        prepared = self._threads["prepare"].submit(self._preparation.prepare_all, batch)
        return prepared, self._threads["infer"].submit(lambda: self._infer(prepared.result()))

    def submit(
        self, posts: Sequence[Post], decider: Decider, caller: str = "", *, any_language: bool = False
    ) -> Future[list[Decision]]:
        """Scores the posts of a request, in batches with those of others.

        Args:
            posts: What is scored.
            decider: By whose policy.
            caller: Whose posts they are.
            any_language: Whether they are scored also where posts in another language are skipped.

        Returns:
            A decision per post, in order; a failed one for a post that cannot be scored, or that we failed on. When it
            is cancelled, the posts that have not been inferred are dropped.

        Raises:
            InputError: The engine was closed.
        """
        request = _Request(posts, decider, caller, any_language)
        if not posts:
            request.answer.set_result([])
            return request.answer
        with self._changed:
            self.check_open()
            self._unanswered.add(request.answer)
            request.answer.add_done_callback(self._forget)
            for index, post in enumerate(posts):
                entry = _Entry(request, index, self._preparation.cost(post))
                if entry.characters > LONG_TEXT:
                    self._put_slow(entry)
                else:
                    entry.put_into(self._waiting, entry.cost)
            if len(self._waiting) >= self._limits.posts:
                self._changed.notify_all()
            self._gather_soon()
        return request.answer

    def _put_slow(self, entry: _Entry) -> None:
        name = "slow-image" if entry.post.images else "slow-text"
        if entry.characters > VERY_LONG_TEXT:
            name = "very-slow-text"
        entry.put_into(self._slow[name], entry.cost)
        self._threads[name].submit(self._prepare_slow, name)

    def _prepare_slow(self, name: str) -> None:
        with self._changed:
            entries = self._wanted(self._slow[name].take(1))
        for entry in entries:
            if self._accept(entry, self._prepared(entry)):
                with self._changed:
                    entry.put_into(self._sliced if len(entry.left) > 1 else self._ready)
                    self._gather_soon()

    def _slice_is_due(self) -> bool:
        if not self._sliced:
            return False
        now = time.monotonic()
        busy = self._waiting or self._ready or self._batches > self._slicing + self._gathering
        if busy and now < self._slice_from:
            return False
        return self._slicing < (1 if now - self._others_came < OTHERS_S else INFERRED_AHEAD)

    def _gather_soon(self) -> None:
        """Starts the next batch if there is one; the lock is held."""
        some = not self._closed and (self._waiting or self._ready or self._slice_is_due())
        if some and not self._gathering and self._batches < INFERRED_AHEAD:
            self._gathering = True
            if not self._batches:
                self._progress = time.monotonic()
            self._batches += 1
            self._threads["prepare"].submit(self._prepare_batch)

    def _prepare_batch(self) -> None:
        batch: list[_Entry] = []
        sliced = False
        try:
            prepared, fresh, sliced = self._gather()
            batch = [*prepared, *self._prepare_fresh(fresh)]
        finally:
            self._threads["infer"].submit(self._infer_batch, batch, sliced=sliced)
            with self._changed:
                self._gathering = False
                self._gather_soon()

    def _gather(self) -> tuple[list[_Entry], list[_Entry], bool]:
        """Returns prepared entries and fresh ones, or slices: then the third is true.

        Where other batches are on their way, it waits for the max batch delay.
        """
        with self._changed:
            if self._slice_is_due():
                self._slicing += 1
                return self._wanted(self._sliced.take(self._sliced_posts)), [], True
            oldest = min((entry.request.since for entry in self._waiting), default=0.0)
            latest = oldest + self._limits.delay_s
            while self._batches > 1 and len(self._waiting) < self._limits.posts:
                left = latest - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            self._others_came = time.monotonic()
            ready = self._ready.take(self._limits.posts)
            return self._wanted(ready), self._wanted(self._waiting.take(self._limits.posts - len(ready))), False

    def _wanted(self, entries: Sequence[_Entry]) -> list[_Entry]:
        """Returns those that somebody waits for."""
        wanted = [entry for entry in entries if not entry.request.answer.cancelled()]
        if len(wanted) < len(entries):
            self.observer.abandoned(len(entries) - len(wanted))
        return wanted

    def _prepare_fresh(self, entries: Sequence[_Entry]) -> list[_Entry]:
        """Returns those that can be inferred now; costly ones are left to the threads for slow ones."""
        if not entries:
            return []
        begun = time.monotonic()
        self.observer.stage("wait", begun - min(entry.request.since for entry in entries))
        try:
            prepared: Sequence[Prepared | Exception | None]
            any_language = [entry.request.any_language for entry in entries]
            prepared = self._preparation.prepare_cheap([entry.post for entry in entries], any_language)
        except Exception:  # noqa: BLE001 - one of them is at fault
            prepared = [self._prepared(entry) for entry in entries]
        ready = []
        for entry, found in zip(entries, prepared, strict=True):
            if found is None:
                with self._changed:
                    self._put_slow(entry)
            elif self._accept(entry, found):
                ready.append(entry)
        self.observer.stage("prepare", time.monotonic() - begun)
        return ready

    def _prepared(self, entry: _Entry) -> Prepared | Exception:
        try:
            apart = entry.characters > VERY_LONG_TEXT
            return self._preparation.prepare(entry.post, apart=apart, any_language=entry.request.any_language)
        except PostError as error:
            return Prepared.failed(entry.post.id, PostFailure.of(error))
        except Exception as error:  # noqa: BLE001 - whatever a library raises must reach only the post at fault
            return error

    def _accept(self, entry: _Entry, prepared: Prepared | Exception) -> bool:
        """Returns whether an entry can be inferred; else its decision is made."""
        if isinstance(prepared, Exception):
            self._settle(entry, self._fault(entry, prepared))
            return False
        if prepared.error is not None:
            self._settle(entry, entry.request.decider.failed(entry.post.id, prepared.error))
            return False
        entry.whole, entry.left = prepared, slices(prepared)
        return True

    def _infer_batch(self, batch: Sequence[_Entry], *, sliced: bool) -> None:
        begun = time.monotonic()
        try:
            wanted = self._wanted(batch)
            if wanted:
                self._conclude(wanted, self._infer_each(wanted))
                self.observer.inferred(len(wanted), time.monotonic() - begun)
        finally:
            with self._changed:
                self._batches -= 1
                if sliced:
                    self._slicing -= 1
                    self._slice_from = time.monotonic() + PAUSE * (time.monotonic() - begun)
                self._progress = time.monotonic()
                self._changed.notify_all()
                self._gather_soon()

    def _infer_each(self, entries: Sequence[_Entry]) -> list[Logits | Exception]:
        """Returns a row of logits per entry; when a batch fails, its entries are tried one by one."""
        try:
            logits = self._infer([entry.left[0] for entry in entries])
            return [logits.take(slice(row, row + 1)) for row in range(len(entries))]
        except Exception as error:  # noqa: BLE001 - whatever a runtime raises must reach only the post at fault
            if len(entries) == 1:
                return [error]
            return [answer for entry in entries for answer in self._infer_each([entry])]

    def _conclude(self, entries: Sequence[_Entry], answers: Sequence[Logits | Exception]) -> None:
        """Decides about those of which the model has said all; the others wait for the next batch."""
        complete: dict[int, list[_Entry]] = {}
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, Exception):
                self._settle(entry, self._fault(entry, answer))
                continue
            entry.left.pop(0)
            entry.done.append(answer)
            if entry.left:
                with self._changed:
                    entry.put_into(self._sliced)
            else:
                complete.setdefault(id(entry.request.decider), []).append(entry)
        for group in complete.values():
            for entry, decision in zip(group, self._decide(group), strict=True):
                self._settle(entry, decision)

    def _decide(self, group: Sequence[_Entry]) -> list[Decision]:
        posts = [entry.whole for entry in group if entry.whole is not None]
        try:
            logits = stacked([merged(post, entry.done) for post, entry in zip(posts, group, strict=True)])
            return group[0].request.decider.decide(posts, logits)
        except Exception as error:  # noqa: BLE001 - as in `_infer_each`
            return [self._fault(entry, error) for entry in group]

    def _fault(self, entry: _Entry, error: Exception) -> Decision:
        self.observer.fault(error)
        message = "Scoring this post failed; the reason is in the server's log."
        return entry.request.decider.failed(entry.post.id, PostFailure(FAILED, message))

    def _settle(self, entry: _Entry, decision: Decision) -> None:
        request = entry.request
        with self._changed:
            request.decisions[entry.index] = decision
            complete = len(request.decisions) == len(request.posts)
        if complete and request.answer.set_running_or_notify_cancel():
            request.answer.set_result([request.decisions[index] for index in range(len(request.posts))])
