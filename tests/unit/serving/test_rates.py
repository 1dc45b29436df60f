from __future__ import annotations

import asyncio

import pytest

from crossguard.serving.errors import TooManyPosts
from crossguard.serving.rates import MAX_CALLERS, Pace, RateLimiter


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def waits(rates: RateLimiter, posts: int = 1, caller: str = "a", per_minute: int = 60) -> int:
    """Returns 0 where the posts were counted, else the seconds that the caller is told to wait."""
    try:
        rates.reserve(caller, per_minute, posts)
    except TooManyPosts as error:
        return error.retry_after or -1
    return 0


def test_a_minutes_posts_pass_at_once_and_the_next_a_minute_later() -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    assert [waits(rates) for _ in range(60)] == [0] * 60
    assert waits(rates) == 60
    clock.now = 59.9
    assert waits(rates) == 1
    clock.now = 60.0
    assert waits(rates) == 0


@pytest.mark.parametrize("batch", [1, 7, 20, 60])
def test_no_minute_holds_more_however_posts_are_packed(batch: int) -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    passed: list[tuple[float, int]] = []
    for tick in range(2000):
        clock.now = tick * 0.13
        if waits(rates, batch) == 0:
            passed.append((clock.now, batch))
    for begin, _ in passed:
        assert sum(posts for at, posts in passed if begin <= at < begin + 60) <= 60
    assert sum(posts for _, posts in passed) >= 3 * 60


def test_the_wait_is_until_enough_posts_are_old() -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    rates.reserve("a", 60, 30)
    clock.now = 20.0
    rates.reserve("a", 60, 30)
    clock.now = 25.0
    assert waits(rates, 30) == 35
    assert waits(rates, 31) == 55
    clock.now = 60.0
    assert waits(rates, 30) == 0


def test_callers_do_not_share_and_zero_is_unlimited() -> None:
    rates = RateLimiter(Clock())
    rates.reserve("a", 1)
    assert waits(rates, caller="a", per_minute=1) > 0
    assert waits(rates, caller="b", per_minute=1) == 0
    assert waits(rates, 10_000, caller="a", per_minute=0) == 0


def test_what_was_refused_for_a_reason_of_ours_is_given_back() -> None:
    rates = RateLimiter(Clock())
    rates.reserve("a", 60, 60)
    rates.give_back("a", 50)
    assert waits(rates, 50) == 0
    assert waits(rates) > 0
    rates.give_back("nobody", 5)


def test_the_callers_that_are_remembered_are_bounded() -> None:
    rates = RateLimiter(Clock())
    for number in range(MAX_CALLERS + 100):
        rates.reserve(str(number), 60)
    assert len(rates._windows) == MAX_CALLERS


class SleepingClock(Clock):
    """Stands still unless it is moved; keeps how long was slept."""

    def __init__(self) -> None:
        super().__init__(100.0)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def pass_at(pace: Pace, *sizes: int) -> None:
    async def run() -> None:
        for size in sizes:
            await pace.wait(size)

    asyncio.run(run())


def test_all_who_ask_share_one_rate() -> None:
    clock = SleepingClock()
    pace = Pace(1000, clock, clock.sleep)
    pass_at(pace, 500, 250)
    # The second waits for the first as well.
    assert clock.slept == [0.5, 0.75]


def test_time_without_bytes_is_not_saved_up() -> None:
    clock = SleepingClock()
    pace = Pace(1000, clock, clock.sleep)
    pass_at(pace, 500)
    clock.now += 60
    pass_at(pace, 500)
    assert clock.slept == [0.5, 0.5]


def test_a_check_counts_nothing() -> None:
    rates = RateLimiter(Clock())
    rates.check("a", 1, 5)
    rates.reserve("a", 1)
    rates.check("a", 0)
    for _ in range(2):
        with pytest.raises(TooManyPosts, match="Try again in 60 s"):
            rates.check("a", 1)
