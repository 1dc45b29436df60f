from __future__ import annotations

from crossguard.serving.rates import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_posts_pass_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    for _ in range(60):
        assert rates.wait("a", 60) == 0
        rates.spend("a", 60, 1)
    assert rates.wait("a", 60) == 1
    clock.now = 1.0
    assert rates.wait("a", 60) == 0


def test_a_large_batch_passes_and_is_paid_for_later() -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    assert rates.wait("a", 60) == 0
    rates.spend("a", 60, 90)
    seconds = rates.wait("a", 60)
    assert seconds == 31
    clock.now = float(seconds)
    assert rates.wait("a", 60) == 0


def test_callers_do_not_share_and_zero_is_unlimited() -> None:
    rates = RateLimiter(Clock())
    rates.spend("a", 1, 100)
    assert rates.wait("a", 1) > 0
    assert rates.wait("b", 1) == 0
    rates.spend("b", 0, 10_000)
    assert rates.wait("b", 0) == 0


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    clock = Clock()
    rates = RateLimiter(clock)
    rates.spend("a", 10, 0)
    clock.now = 3600.0
    rates.spend("a", 10, 10)
    assert rates.wait("a", 10) > 0


def test_what_was_refused_is_not_paid_for() -> None:
    rates = RateLimiter(Clock())
    rates.spend("a", 10, 50)
    assert rates.wait("a", 10) > 0
    rates.spend("a", 10, -50)
    assert rates.wait("a", 10) == 0
