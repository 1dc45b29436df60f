"""Stops what a request began when its client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request

from crossguard.serving.errors import ClientDisconnected


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Runs a block that is cancelled when the client disconnects.

    Args:
        request: Its body has been read, so the next message can only be that the client is gone.

    Raises:
        ClientDisconnected: It did.
    """
    task = asyncio.current_task()
    assert task is not None
    within, disconnected = True, False

    def cancel(gone: asyncio.Task[Any]) -> None:
        nonlocal disconnected
        if within and not gone.cancelled():
            disconnected = task.cancel()

    gone = asyncio.ensure_future(request.receive())
    gone.add_done_callback(cancel)
    try:
        yield
    except asyncio.CancelledError:
        if disconnected:
            raise ClientDisconnected("The client disconnected.") from None
        raise
    finally:
        within = False
        gone.cancel()
        if disconnected:
            task.uncancel()
