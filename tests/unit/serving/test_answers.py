from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from crossguard.serving.answers import Answers


async def taken(answers: Answers, computed: Future[int]) -> asyncio.Task[int]:
    task = asyncio.create_task(answers.of(computed))
    await asyncio.sleep(0)
    return task


def finish(computed: list[Future[int]]) -> None:
    for one in computed:
        one.set_result(1)


def test_all_that_is_ready_comes_with_one_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> tuple[list[int], int]:
        answers, computed = Answers(), [Future[int]() for _ in range(20)]
        tasks = [await taken(answers, one) for one in computed]
        loop, woken = asyncio.get_running_loop(), 0
        wake = loop.call_soon_threadsafe

        def counted(*given: object) -> object:
            nonlocal woken
            woken += 1
            return wake(*given)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        for number, one in enumerate(computed):
            one.set_result(number)
        return list(await asyncio.gather(*tasks)), woken

    assert asyncio.run(run()) == (list(range(20)), 1)


def test_answers_come_from_threads_while_the_loop_delivers() -> None:
    async def run() -> list[int]:
        answers, computed = Answers(), [Future[int]() for _ in range(2000)]
        tasks = [await taken(answers, one) for one in computed]
        parts = [computed[start::4] for start in range(4)]
        threads = [asyncio.to_thread(finish, part) for part in parts]
        await asyncio.gather(*threads)
        return list(await asyncio.wait_for(asyncio.gather(*tasks), 20))

    assert asyncio.run(run()) == [1] * 2000


def test_an_error_is_raised_where_it_is_awaited() -> None:
    async def run() -> None:
        computed: Future[int] = Future()
        task = await taken(Answers(), computed)
        computed.set_exception(ValueError("broken"))
        await task

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run())


def test_what_nobody_awaits_any_more_is_cancelled_and_the_rest_comes() -> None:
    async def run() -> tuple[bool, int]:
        answers, dropped, wanted = Answers(), Future[int](), Future[int]()
        first, second = await taken(answers, dropped), await taken(answers, wanted)
        first.cancel()
        await asyncio.wait({first})
        wanted.set_result(7)
        return dropped.cancelled(), await second

    assert asyncio.run(run()) == (True, 7)


def test_work_that_was_cancelled_cancels_who_awaits_it() -> None:
    async def run() -> bool:
        computed: Future[int] = Future()
        task = await taken(Answers(), computed)
        computed.cancel()
        await asyncio.wait({task}, timeout=20)
        return task.cancelled()

    assert asyncio.run(run())


def test_a_closed_loop_is_no_error_of_the_thread() -> None:
    computed: Future[int] = Future()

    async def run() -> None:
        await taken(Answers(), computed)
        computed.set_running_or_notify_cancel()  # as by a thread that has begun

    asyncio.run(run())
    computed.set_result(1)
