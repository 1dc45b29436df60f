from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from crossguard.serving.disconnection import while_connected
from crossguard.serving.errors import ClientDisconnected


def client(disconnects: asyncio.Event) -> Request:
    async def receive() -> dict[str, Any]:
        await disconnects.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


async def soon(event: asyncio.Event) -> None:
    event.set()


def test_a_block_of_a_client_that_stays_gives_its_result() -> None:
    async def run() -> int:
        async with while_connected(client(asyncio.Event())):
            await asyncio.sleep(0)
            return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 2


def test_a_block_ends_when_the_client_disconnects() -> None:
    cancelled = False

    async def run() -> None:
        nonlocal cancelled
        gone = asyncio.Event()
        later = asyncio.create_task(soon(gone))
        try:
            async with while_connected(client(gone)):
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    cancelled = True
                    raise
        finally:
            await later
            # Nothing is left of it: the task goes on as if it had never been cancelled.
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0

    with pytest.raises(ClientDisconnected):
        asyncio.run(run())
    assert cancelled


def test_disconnecting_behind_the_block_cancels_nothing() -> None:
    async def run() -> str:
        gone = asyncio.Event()
        async with while_connected(client(gone)):
            await asyncio.sleep(0)
            gone.set()
        await asyncio.sleep(0.01)
        return "answered"

    assert asyncio.run(run()) == "answered"


def test_a_deadline_around_it_is_told_from_a_disconnect() -> None:
    async def run() -> None:
        async with asyncio.timeout(0.01), while_connected(client(asyncio.Event())):
            await asyncio.sleep(3600)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    async def run() -> None:
        async with while_connected(client(asyncio.Event())):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(run())
