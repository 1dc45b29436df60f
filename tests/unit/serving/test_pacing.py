from __future__ import annotations

import asyncio

from crossguard.serving.pacing import Pace


class Clock:
    """Stands still unless it is moved; keeps how long was slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def wait(pace: Pace, *sizes: int) -> None:
    async def run() -> None:
        for size in sizes:
            await pace.wait(size)

    asyncio.run(run())


def test_all_who_ask_share_one_rate() -> None:
    clock = Clock()
    pace = Pace(1000, clock, clock.sleep)
    wait(pace, 500, 250)
    # The second waits for the first as well.
    assert clock.slept == [0.5, 0.75]


def test_time_without_bytes_is_not_saved_up() -> None:
    clock = Clock()
    pace = Pace(1000, clock, clock.sleep)
    wait(pace, 500)
    clock.now += 60
    wait(pace, 500)
    assert clock.slept == [0.5, 0.5]
