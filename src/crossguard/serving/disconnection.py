"""Stops what a request began when its client disconnects."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from starlette.requests import Request

from crossguard.serving.errors import ClientDisconnected


class WhileConnected:
    """An asynchronous block that is cancelled when the client disconnects.

    Args:
        request: Its body has been read, so the next message can only be that the client is gone.

    Raises:
        ClientDisconnected: It did.
    """

    def __init__(self, request: Request) -> None:
        self._request = request

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._within = True
        self._disconnected = False
        self._gone = asyncio.ensure_future(self._request.receive())
        self._gone.add_done_callback(self._cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._within = False
        self._gone.cancel()
        if self._disconnected:
            assert self._task is not None
            self._task.uncancel()
            if kind is asyncio.CancelledError:
                raise ClientDisconnected("The client disconnected.") from None

    def _cancel(self, gone: asyncio.Task[Any]) -> None:
        if self._within and not gone.cancelled():
            assert self._task is not None
            self._disconnected = True
            self._task.cancel()
