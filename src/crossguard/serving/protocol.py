"""What uvicorn leaves to a proxy: how long and how large the headers may be, and requests on their way at the end."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024
LAST_REQUEST_S = 1.0
"""Seconds that a connection without a request yet may still send one after the server was told to stop."""
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"  # bare by intent
)


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose headers dribble in, or never end; lets a request that is on its way at the end arrive.

    Attributes:
        header_timeout: Seconds from the first byte of a request, or the opening of the connection, to its last header.
    """

    header_timeout: ClassVar[float] = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Gives the first request its time."""
        super().connection_made(transport)  # type: ignore[arg-type]  # as uvicorn narrows it
        self._expect_headers(self.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what arrives before the end of the headers."""
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Starts the time of a request."""
        super().on_message_begin()
        self._expect_headers(self.header_timeout)

    def on_headers_complete(self) -> None:
        """Ends it."""
        self._stop_timer()
        self._in_headers = False
        self._header_bytes = 0
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Ends the connection once the request in flight, or the one on its way, is answered.

        Uvicorn closes every connection without a whole request, though the caller of a new one has been let in and is
        sending; only connections that rest between two requests are closed at once here.
        """
        if not self._in_headers:
            super().shutdown()
            return
        self._stopping = True
        self._expect_headers(min(LAST_REQUEST_S, self.header_timeout))

    def _expect_headers(self, seconds: float) -> None:
        self._stop_timer()
        self._in_headers = True
        self._timer = self.loop.call_later(seconds, self._close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def guarded_protocol(header_timeout_s: float) -> type[GuardedProtocol]:
    """Returns the protocol with a timeout; uvicorn takes a class and makes its objects itself."""
    return type("ConfiguredProtocol", (GuardedProtocol,), {"header_timeout": header_timeout_s})
