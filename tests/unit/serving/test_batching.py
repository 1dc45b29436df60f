from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from crossguard.moderator import Moderator
from crossguard.records import Decision, Logits
from crossguard.runtimes.base import Job
from crossguard.serving.batching import FAILED, RequestBatcher, decide_all
from crossguard.serving.errors import BodyTooLarge, Overloaded
from crossguard.serving.submitted_post import SubmittedPost, prepare
from crossguard.serving.telemetry import Telemetry


class Gate:
    """A runtime that counts its calls, can be held, and fails on posts that it is told of."""

    def __init__(self, moderator: Moderator) -> None:
        self.inner = moderator.runtime
        self.name = "gate"
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []
        self.fail_over: int | None = None

    def inputs(self, graph: str) -> tuple[str, ...]:
        return self.inner.inputs(graph)

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        if jobs[0].graph == "fusion":
            self.open.wait(10)
            rows = len(jobs[0].feed["has_text"])
            if self.fail_over is not None and rows > self.fail_over:
                raise RuntimeError("cannot")
            self.batches.append(rows)
        return self.inner.infer(jobs)


@pytest.fixture
def gate(tiny: Moderator) -> Gate:
    return Gate(tiny)


@pytest.fixture
def gated(tiny: Moderator, gate: Gate) -> Moderator:
    held = copy.copy(tiny)
    vars(held)["_runtime"] = gate
    return held


def run(use: Callable[[RequestBatcher], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    async def whole() -> Any:
        settings: dict[str, Any] = {"batch_posts": 64, "max_delay_ms": 20.0, "max_queue": 1000, "threads": 2}
        batcher = RequestBatcher(**{**settings, **options}, telemetry=Telemetry())
        batcher.start()
        try:
            return await asyncio.wait_for(use(batcher), 30)
        finally:
            await batcher.stop()

    return asyncio.run(whole())


def posts(count: int) -> list[SubmittedPost]:
    return [SubmittedPost(str(n), f"hello {n}") for n in range(count)]


def test_concurrent_requests_share_inferences_and_get_their_own_answers(
    tiny: Moderator, gate: Gate, gated: Moderator
) -> None:
    async def use(batcher: RequestBatcher) -> Any:
        return await asyncio.gather(*(batcher.score(gated, [post]) for post in posts(100)))

    answers = run(use)
    assert [answer[0].id for answer in answers] == [str(n) for n in range(100)]
    assert sum(gate.batches) == 100
    assert len(gate.batches) < 50
    offline = tiny.score([{"id": str(n), "text": f"hello {n}"} for n in range(100)])
    for (answer,), expected in zip(answers, offline, strict=True):
        assert expected.ok
        assert answer.scores == pytest.approx(expected.scores, abs=1e-5)


def test_a_lone_post_does_not_wait_for_company(gated: Moderator) -> None:
    async def use(batcher: RequestBatcher) -> float:
        await batcher.score(gated, posts(1))
        begun = asyncio.get_running_loop().time()
        await batcher.score(gated, posts(1))
        return asyncio.get_running_loop().time() - begun

    assert run(use, max_delay_ms=60_000.0) < 20


def test_a_bad_post_fails_among_good_ones(tiny: Moderator) -> None:
    async def use(batcher: RequestBatcher) -> Any:
        return await batcher.score(
            tiny, [*posts(2), SubmittedPost("bad", images=(b"nothing",)), SubmittedPost("empty")]
        )

    answers = run(use)
    assert [answer.ok for answer in answers] == [True, True, False, False]
    assert [answer.error.code for answer in answers[2:]] == ["image_not_an_image", "post_empty"]


def test_an_inference_that_fails_as_a_batch_is_tried_one_by_one(gate: Gate, gated: Moderator) -> None:
    gate.fail_over = 1
    entries = [(gated, prepare(gated, post)) for post in posts(5)]
    answers = decide_all(entries)
    assert all(isinstance(answer, Decision) for answer in answers)
    assert gate.batches == [1] * 5


def test_a_post_that_the_model_fails_on_does_not_take_its_neighbours_along(gate: Gate, gated: Moderator) -> None:
    gate.fail_over = 0

    async def use(batcher: RequestBatcher) -> Any:
        failed = await batcher.score(gated, posts(1))
        gate.fail_over = None
        return failed, await batcher.score(gated, posts(1))

    (failed,), (fine,) = run(use)
    assert failed.error.code == FAILED
    assert "cannot" not in failed.error.message
    assert fine.ok


def test_two_policies_share_one_inference(gate: Gate, gated: Moderator) -> None:
    other = gated.with_policy("benchmark")
    entries = [(gated if n % 2 else other, prepare(gated, post)) for n, post in enumerate(posts(6))]
    answers: list[Any] = list(decide_all(entries))
    assert gate.batches == [6]
    assert [answer.policy for answer in answers] == ["benchmark", "default"] * 3
    assert [answer.id for answer in answers] == [str(n) for n in range(6)]
    assert answers[0].scores != gated.decide([entries[0][1]], gated.infer([entries[0][1]]))[0].scores


def test_two_models_do_not_share_an_inference(tiny: Moderator, gate: Gate, gated: Moderator) -> None:
    entries = [(gated if n % 2 else tiny, prepare(tiny, post)) for n, post in enumerate(posts(6))]
    assert all(isinstance(answer, Decision) for answer in decide_all(entries))
    assert gate.batches == [3]


def test_a_full_queue_refuses_and_recovers(gate: Gate, gated: Moderator) -> None:
    async def use(batcher: RequestBatcher) -> None:
        gate.open.clear()
        first = asyncio.create_task(batcher.score(gated, posts(8)))
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded) as refused:
            await batcher.score(gated, posts(3))
        assert (refused.value.retry_after or 0) >= 1
        gate.open.set()
        assert len(await first) == 8
        assert batcher.pending == 0
        assert len(await batcher.score(gated, posts(3))) == 3

    run(use, max_queue=10)


def test_more_posts_than_the_queue_holds_can_never_pass(gated: Moderator) -> None:
    async def use(batcher: RequestBatcher) -> None:
        with pytest.raises(BodyTooLarge):
            await batcher.score(gated, posts(11))

    run(use, max_queue=10)


def test_posts_of_a_caller_who_hung_up_are_not_inferred(gate: Gate, gated: Moderator) -> None:
    async def use(batcher: RequestBatcher) -> None:
        gate.open.clear()
        held = asyncio.create_task(batcher.score(gated, posts(1)))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(batcher.score(gated, posts(20)))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        await held
        await batcher.score(gated, posts(2))
        assert batcher.pending == 0

    run(use)
    assert sum(gate.batches) == 3


def test_a_large_request_leaves_turns_to_small_ones(gate: Gate, gated: Moderator) -> None:
    order: list[str] = []

    async def use(batcher: RequestBatcher) -> None:
        async def ask(name: str, count: int) -> None:
            await batcher.score(gated, posts(count))
            order.append(name)

        large = asyncio.create_task(ask("large", 400))
        await asyncio.sleep(0.001)
        await asyncio.gather(large, ask("small", 1))

    run(use, batch_posts=8)
    assert order == ["small", "large"]
    assert sum(gate.batches) == 401
    assert isinstance(gated.infer([]), Logits)
