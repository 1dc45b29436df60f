from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.data.image_limits import ImageLimits
from crossguard.engine import (
    FAILED,
    INFERRED_AHEAD,
    LONG_TEXT,
    PREPARED_AHEAD,
    VERY_LONG_TEXT,
    BatchLimits,
    Observer,
    ScoringEngine,
)
from crossguard.errors import ConfigError, InputError, PostError
from crossguard.machine import available_cores
from crossguard.moderator import Moderator
from crossguard.preparation import Preparation
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Logits, Post
from crossguard.runtimes.base import Job
from crossguard.slices import SLICE, TOKENS

WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")
SECONDS = 30


class Gate:
    """A runtime that counts its calls, can be held, and fails on batches that it is told of."""

    def __init__(self, moderator: Moderator) -> None:
        self.inner = moderator.runtime
        self.name = "gate"
        self.images_per_job = self.inner.images_per_job
        self.packs = self.inner.packs
        self.fills = self.inner.fills
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []
        self.fail_over: int | None = None

    def inputs(self, graph: str) -> tuple[str, ...]:
        return self.inner.inputs(graph)

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        if jobs[0].graph == "fusion":
            self.open.wait(10)
            feed = jobs[0].feed
            rows = int(np.count_nonzero(np.maximum(feed["has_text"], feed["has_image"])))
            if self.fail_over is not None and rows > self.fail_over:
                raise RuntimeError("cannot")
            self.batches.append(rows)
        return self.inner.infer(jobs)


class Watch(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.dropped = 0
        self.faults: list[Exception] = []
        self.sizes: list[int] = []

    def inferred(self, posts: int, seconds: float) -> None:
        assert seconds >= 0
        self.sizes.append(posts)

    def abandoned(self, posts: int) -> None:
        self.dropped += posts

    def fault(self, error: Exception) -> None:
        self.faults.append(error)


@pytest.fixture
def gate(tiny: Moderator) -> Gate:
    return Gate(tiny)


@pytest.fixture
def gated(tiny: Moderator, gate: Gate) -> Iterator[Moderator]:
    with gated_by(tiny, gate, BatchLimits(64, 0.02)) as moderator:
        yield moderator


@pytest.fixture
def watch(gated: Moderator) -> Watch:
    watch = Watch()
    gated.observe(watch)
    return watch


def gated_by(tiny: Moderator, gate: Gate, limits: BatchLimits) -> Moderator:
    return Moderator(tiny.bundle, gate, tiny.policy, Preparation(tiny.bundle, ImageLimits()), limits)


def posts(count: int) -> list[Post]:
    return [Post(str(n), f"hello {n}") for n in range(count)]


def long_text(seed: int = 5) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, size=400))


class TestStream:
    """Batches of a fixed size, in order."""

    @pytest.fixture
    def engine(self, tiny_bundle: Bundle) -> Iterator[ScoringEngine]:
        engine = ScoringEngine(Preparation(tiny_bundle, ImageLimits()), lengths)
        yield engine
        engine.close()

    def test_batches_come_in_order_with_their_own_logits(self, engine: ScoringEngine) -> None:
        texts = [Post(str(index), " ".join((WORDS * 2)[: index + 1])) for index in range(25)]
        texts[7] = Post.failed("7", "image_empty", "The image is empty.")
        found = list(engine.stream(texts, batch_size=4))
        assert [post.id for prepared, _ in found for post in prepared] == [str(index) for index in range(25)]
        values = [int(value) for _, logits in found for value in logits.values[:, 0]]
        assert values == [index + 1 for index in range(25) if index != 7]

    def test_input_is_read_only_a_few_batches_ahead(self, engine: ScoringEngine) -> None:
        read = 0

        def endless() -> Iterator[Post]:
            nonlocal read
            while True:
                read += 1
                yield Post(str(read), "hello")

        batches = engine.stream(endless(), batch_size=10)
        for done in range(1, 5):
            next(batches)
            assert read <= 10 * (done + PREPARED_AHEAD + INFERRED_AHEAD)

    def test_what_came_before_an_error_of_the_source_is_given(self, engine: ScoringEngine) -> None:
        def broken() -> Iterator[Post]:
            yield from posts(25)
            raise ConnectionError("the queue is gone")

        found = engine.stream(broken(), batch_size=10)
        assert [len(prepared) for prepared, _ in islice(found, 3)] == [10, 10, 5]
        with pytest.raises(ConnectionError, match="the queue is gone"):
            next(found)

    def test_batches_grow_until_they_hold_as_many_images_as_one_needs(self, engine: ScoringEngine) -> None:
        texts = [Post(str(index), "hello") for index in range(600)]
        assert [len(prepared) for prepared, _ in engine.stream(texts)] == [32, 64, 128, 128, 128, 120]
        images = [Post(post.id, "hello", np.zeros((4, 4, 3), np.uint8)) for post in texts[:200]]
        assert [len(prepared) for prepared, _ in engine.stream(images)] == [32, 64, 64, 40]

    @pytest.mark.parametrize("size", ["2", -1, 0, 64.5])
    def test_what_is_no_size_is_refused_before_anything_is_read(self, engine: ScoringEngine, size: Any) -> None:
        source = iter(posts(3))
        with pytest.raises(ConfigError, match=r"batch_size is .*; it must be a whole number of at least 1, or None"):
            next(engine.stream(source, batch_size=size))
        assert len(list(source)) == 3

    def test_a_size_may_be_of_numpy(self, engine: ScoringEngine) -> None:
        size: Any = np.int64(2)
        assert len(list(engine.stream(posts(3), batch_size=size))) == 2

    def test_an_error_of_the_model_reaches_the_caller(self, tiny_bundle: Bundle) -> None:
        def fail(_: Sequence[Prepared]) -> Logits:
            raise MemoryError("no memory left")

        with pytest.raises(MemoryError, match="no memory left"):
            list(ScoringEngine(Preparation(tiny_bundle, ImageLimits()), fail).stream([Post("1", "a")]))


def lengths(posts: Sequence[Prepared]) -> Logits:
    ready = [post for post in posts if post.error is None]
    values = np.array([[len(post.texts[0].ids)] for post in ready], dtype=np.float32).reshape(-1, 1)
    return Logits(values, np.zeros(len(values), dtype=np.float32))


class TestSubmit:
    """Requests share batches."""

    def test_concurrent_requests_share_batches_and_get_their_own_answers(
        self, tiny: Moderator, gate: Gate, gated: Moderator
    ) -> None:
        answers = [future.result(SECONDS) for future in [gated.submit([post]) for post in posts(100)]]
        assert [answer[0].id for answer in answers] == [str(n) for n in range(100)]
        assert sum(gate.batches) == 100
        assert len(gate.batches) < 50
        offline = tiny.score([{"id": str(n), "text": f"hello {n}"} for n in range(100)])
        for (answer,), expected in zip(answers, offline, strict=True):
            assert expected.ok
            assert answer.scores == pytest.approx(expected.scores, abs=1e-5)

    def test_no_posts(self, gated: Moderator) -> None:
        assert gated.submit([]).result(SECONDS) == []

    def test_a_lone_post_does_not_wait_for_others(self, tiny: Moderator, gate: Gate) -> None:
        with gated_by(tiny, gate, BatchLimits(64, delay_s=60.0)) as gated:
            gated.submit(posts(1)).result(SECONDS)
            begun = time.monotonic()
            gated.submit(posts(1)).result(SECONDS)
            assert time.monotonic() - begun < 20

    def test_a_post_waits_for_others_at_most_the_max_batch_delay(self, tiny: Moderator, gate: Gate) -> None:
        with gated_by(tiny, gate, BatchLimits(64, delay_s=60.0)) as gated:
            gate.open.clear()
            first = gated.submit(posts(1))
            await_batches(gated)
            rest = [gated.submit([post]) for post in posts(64)]
            gate.open.set()
            assert all(future.result(SECONDS)[0].ok for future in [first, *rest])
        assert max(gate.batches) > 8

    def test_a_bad_post_fails_among_good_ones(self, gated: Moderator) -> None:
        answers = gated.submit([*posts(2), Post("bad", image=b"nothing"), Post("empty")]).result(SECONDS)
        assert [answer.ok for answer in answers] == [True, True, False, False]
        assert [answer.error and answer.error.code for answer in answers[2:]] == ["image_not_an_image", "post_empty"]

    def test_a_batch_that_fails_is_tried_one_by_one(self, gate: Gate, gated: Moderator, watch: Watch) -> None:
        gate.fail_over = 1
        assert all(answer.ok for answer in gated.submit(posts(5)).result(SECONDS))
        assert gate.batches == [1] * 5
        assert not watch.faults

    def test_a_post_that_the_model_fails_on_does_not_take_its_neighbours_along(
        self, gate: Gate, gated: Moderator, watch: Watch
    ) -> None:
        gate.fail_over = 0
        (failed,) = gated.submit(posts(1)).result(SECONDS)
        gate.fail_over = None
        assert failed.error is not None
        assert failed.error.code == FAILED
        assert "cannot" not in failed.error.message
        assert [str(error) for error in watch.faults] == ["cannot"]
        assert gated.submit(posts(1)).result(SECONDS)[0].ok

    def test_a_post_that_cannot_be_prepared_fails_alone(
        self, gated: Moderator, watch: Watch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = Preparation._tokens

        def fail_on_1(self: Preparation, posts: Sequence[Post]) -> Any:
            if any(post.id == "1" for post in posts):
                raise RuntimeError("no tokens")
            return tokens(self, posts)

        monkeypatch.setattr(Preparation, "_tokens", fail_on_1)
        answers = gated.submit([*posts(3), Post("empty")]).result(SECONDS)
        assert [answer.error and answer.error.code for answer in answers] == [None, FAILED, None, "post_empty"]
        assert len(watch.faults) == 1

    def test_two_policies_share_one_batch(self, gate: Gate, gated: Moderator) -> None:
        other = gated.with_policy("benchmark")
        gate.open.clear()
        held = gated.submit(posts(1))
        await_batches(gated)
        asked = [(gated if n % 2 else other).submit([post]) for n, post in enumerate(posts(6))]
        gate.open.set()
        answers = [future.result(SECONDS)[0] for future in asked]
        assert len(held.result(SECONDS)) == 1
        assert len(gate.batches) < 7
        assert [answer.policy for answer in answers] == ["benchmark", "default"] * 3
        assert [answer.id for answer in answers] == [str(n) for n in range(6)]
        assert answers[0].scores != gated.score(text="hello 0").scores

    def test_posts_of_a_client_that_disconnected_are_not_inferred(
        self, gate: Gate, gated: Moderator, watch: Watch
    ) -> None:
        gate.open.clear()
        held = [gated.submit(posts(1)) for _ in range(INFERRED_AHEAD + 1)]
        await_batches(gated)
        gone = gated.submit(posts(20))
        assert gone.cancel()
        gate.open.set()
        assert all(future.result(SECONDS)[0].ok for future in held)
        assert len(gated.submit(posts(2)).result(SECONDS)) == 2
        assert sum(gate.batches) == len(held) + 2
        assert watch.dropped == 20
        with pytest.raises(CancelledError):
            gone.result(SECONDS)

    def test_a_large_request_leaves_turns_to_small_ones(self, tiny: Moderator, gate: Gate) -> None:
        order: list[str] = []
        with gated_by(tiny, gate, BatchLimits(8)) as gated:
            gate.open.clear()
            large = gated.submit(posts(400))
            large.add_done_callback(lambda _: order.append("large"))
            small = gated.submit(posts(1))
            small.add_done_callback(lambda _: order.append("small"))
            gate.open.set()
            large.result(SECONDS)
            small.result(SECONDS)
        assert order == ["small", "large"]
        assert sum(gate.batches) == 401
        assert max(gate.batches) <= 8

    def test_a_caller_with_much_leaves_turns_to_others(self, tiny: Moderator, gate: Gate) -> None:
        order: list[str] = []
        with gated_by(tiny, gate, BatchLimits(8)) as gated:
            gate.open.clear()
            asked = []
            for caller in [*["much"] * 200, "little"]:
                asked.append(gated.submit(posts(1), caller))
                asked[-1].add_done_callback(partial(lambda name, _: order.append(name), caller))
            gate.open.set()
            assert all(future.result(SECONDS)[0].ok for future in asked)
        # Behind the batches that were formed before it came, and at most half of its own.
        assert order.index("little") < (INFERRED_AHEAD + 2) * 8

    def test_batches_are_bounded_by_what_posts_cost(self, tiny: Moderator, gate: Gate) -> None:
        image = np.random.default_rng(2).integers(0, 255, (40, 40, 3), np.uint8)
        asked = [Post(str(n), "hello", image, more_images=(image,) * 3) for n in range(12)]
        with gated_by(tiny, gate, BatchLimits(8)) as gated:
            watch = Watch()
            gated.observe(watch)
            assert all(answer.ok for answer in gated.submit(asked).result(SECONDS))
        assert max(watch.sizes) == 2

    def test_a_long_text_and_a_costly_image_are_prepared_apart(
        self, gated: Moderator, watch: Watch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prepared: dict[str, bool] = {}
        prepare = Preparation.prepare

        def noted(self: Preparation, post: Post, *, apart: bool, any_language: bool) -> Prepared:
            prepared[post.id] = apart
            assert "slow" in threading.current_thread().name
            return prepare(self, post, apart=apart, any_language=any_language)

        monkeypatch.setattr(Preparation, "prepare", noted)
        monkeypatch.setattr("crossguard.data.image_worker.is_cheap", lambda encoded, _: b"slow" not in encoded)
        text, very_long = long_text(), long_text() * 3
        assert VERY_LONG_TEXT > len(text) > LONG_TEXT
        assert len(very_long) > VERY_LONG_TEXT
        asked = [
            Post("very long", very_long),
            Post("long", text),
            Post("short", "hello"),
            Post("slow", "hello", b"slow"),
            Post("image", "", b"quick"),
        ]
        answers = gated.submit(asked).result(SECONDS)
        # Of these, the very long one in a process.
        assert prepared == {"very long": True, "long": False, "slow": False}
        assert [answer.ok for answer in answers] == [True, True, True, False, False]
        assert not watch.faults

    @pytest.mark.parametrize(("images", "times"), [(0, 1), (1, 1), (0, 3)])
    def test_a_long_post_gets_the_decision_that_python_gives(
        self, tiny: Moderator, gate: Gate, images: int, times: int
    ) -> None:
        image = np.random.default_rng(2).integers(0, 255, (40, 40, 3), np.uint8) if images else None
        asked = [Post(str(seed), long_text(seed) * times, image) for seed in range(5)]
        with gated_by(tiny, gate, BatchLimits(64)) as gated:
            answers = gated.submit(asked).result(SECONDS)
        windows = max(SLICE, TOKENS // tiny.bundle.manifest.text.max_length)
        assert max(gate.batches) <= max(1, available_cores() // INFERRED_AHEAD) * windows
        for answer, post in zip(answers, asked, strict=True):
            whole = tiny.score(post)
            assert answer.scores == pytest.approx(whole.scores, abs=1e-6)
            assert answer.window == whole.window
            assert answer.id == whole.id

    def test_it_tells_when_nothing_moves(self, gate: Gate, gated: Moderator) -> None:
        assert gated.stalled_s() == 0
        gate.open.clear()
        held = gated.submit(posts(1))
        time.sleep(0.05)
        assert gated.stalled_s() > 0.02
        gate.open.set()
        assert held.result(SECONDS)[0].ok
        deadline = time.monotonic() + SECONDS
        while gated.stalled_s() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert gated.stalled_s() == 0


def await_batches(gated: Moderator) -> None:
    """Gives a first batch the time to reach the model."""
    deadline = time.monotonic() + SECONDS
    while not gated.stalled_s() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)


def test_a_post_of_many_images_is_decided_from_the_highest(tiny: Moderator) -> None:
    images = [np.random.default_rng(n).integers(0, 255, (40, 40, 3), np.uint8) for n in range(3)]
    together = tiny.score(Post("a", "hello", images[0], more_images=tuple(images[1:])))
    alone = [tiny.score(Post("a", "hello", image)).scores for image in images]
    assert together.scores == pytest.approx({name: max(one[name] for one in alone) for name in alone[0]}, abs=1e-6)
    with pytest.raises(PostError, match="nothing to score"):
        tiny.score(Post("a"))


def test_closing_fails_what_is_not_answered(tiny: Moderator, gate: Gate) -> None:
    gated = gated_by(tiny, gate, BatchLimits(1))
    gate.open.clear()
    waiting = [gated.submit(posts(1)) for _ in range(4 * INFERRED_AHEAD)]
    threading.Timer(0.2, gate.open.set).start()
    gated.close()
    ends = [answer.exception(SECONDS) for answer in waiting]
    assert all(end is None or "This moderator was closed" in str(end) for end in ends)
    assert any(ends), "what was waiting has no thread any more"
    with pytest.raises(InputError, match="This moderator was closed"):
        gated.submit(posts(1))


@pytest.mark.parametrize("count", [200, 10_000])
def test_a_stream_says_that_its_moderator_was_closed(tiny: Moderator, gate: Gate, count: int) -> None:
    moderator = gated_by(tiny, gate, BatchLimits())
    stream = moderator.stream(posts(count), batch_size=4)
    next(stream)
    moderator.close()
    with pytest.raises(InputError, match="This moderator was closed"):
        list(stream)
