"""Writes of one turn of the event loop, gathered into one system call.

Each call lets another thread take the interpreter, and waits for it afterwards: beside threads that compute, two calls
per answer and one per line of log were a third of the event loop's time.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any


class GatheredTransport:
    """A transport that writes at the end of a turn of the loop; in all else the one it is made of."""

    def __init__(self, transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: Any = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Takes bytes, which are written soon."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Closes the transport once everything is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Writes what waits; for when the transport is about to close itself."""
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GatheringHandler(logging.StreamHandler[Any]):
    """A stream handler that writes the lines of a turn of the loop together; outside of a loop each at once."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a line."""
        try:
            self._waiting.append(self.format(record) + self.terminator)
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                if len(self._waiting) == 1:
                    loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001 - as every handler: a line that cannot be written ends nothing
            self.handleError(record)

    def flush(self) -> None:
        """Writes what waits, or loses it: the loop would log an error of this, which would be flushed in turn."""
        self.acquire()
        try:
            lines, self._waiting = self._waiting, []
            with suppress(OSError):
                self.stream.write("".join(lines))
                super().flush()
        finally:
            self.release()
