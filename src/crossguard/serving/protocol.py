"""What uvicorn leaves to a proxy: a bound on the time and memory of a connection in each of its states.

```
open ──► HEADERS ──► BODY ──► IDLE     what is being received; the answer may be written in any of the last two
            ▲                  │
            └──────────────────┘
```
"""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from crossguard.serving.endpoints import CROWDED
from crossguard.serving.gathering import GatheredTransport
from crossguard.serving.settings import ServeSettings

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_PIPELINED: Final = 16
"""Most requests of a connection that wait for an earlier one; each costs kilobytes before it is authenticated."""
LAST_REQUEST_S: Final = 1.0
"""Seconds that a connection without a request yet may still send one after the server was told to stop."""
LEFTOVER_S: Final = 2.0
"""Seconds in which the rest of a body must arrive once the request has been answered without it."""
HALF_CLOSED_S: Final = 1.0
"""Seconds for the answer to a client that has closed its sending side; a client that hung up looks the same."""
TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"  # bare by intent
)
HOP_BY_HOP: Final = frozenset({b"connection", b"upgrade", b"http2-settings"})


class Receiving(Enum):
    """What a connection receives next."""

    HEADERS = auto()
    BODY = auto()
    IDLE = auto()


def spare_connections(most: int) -> int:
    """Returns how many connections without a place there may be beside `most` with one.

    In them requests are on their way, probes are answered, and others are told that there is no room.
    """
    return max(16, min(512, most // 2))


class Places:
    """Who is connected to a service, and who of them has one of its places.

    A service that is full must not look through its connections for each request that it refuses: each kind is kept in
    the order in which they would be closed.

    Args:
        most: Connections with a request stay below this number.
        closed_for_others: Is told of each connection that is closed to make room.
    """

    def __init__(self, most: int, closed_for_others: Callable[[], None] = lambda: None) -> None:
        self._most = most
        self._most_of_all = most + spare_connections(most)
        self._closed_for_others = closed_for_others
        self._holders: set[GuardedProtocol] = set()
        self._resting: OrderedDict[GuardedProtocol, None] = OrderedDict()  # those of the holders that wait for requests
        # Without a place: of which no request has come yet, and whose request has none.
        self._silent: OrderedDict[GuardedProtocol, None] = OrderedDict()
        self._refused: OrderedDict[GuardedProtocol, None] = OrderedDict()

    def enter(self, new: GuardedProtocol) -> None:
        """Lets a connection in; where it is one too many of all, of those without a place the oldest is closed.

        Those of which no request has come go before those that are being refused.
        """
        if len(self._holders) + len(self._silent) + len(self._refused) + 1 >= self._most_of_all:
            self._close_first(self._silent or self._refused)
        self._silent[new] = None

    def take(self, asking: GuardedProtocol) -> bool:
        """Returns whether a request has a place; for a first one, the connection that has rested longest is closed."""
        if asking in self._holders:
            self._resting.pop(asking, None)
            return True
        self._silent.pop(asking, None)
        if len(self._holders) + 1 >= self._most and not self._close_first(self._resting):
            self._refused[asking] = None
            return False
        self._refused.pop(asking, None)
        self._holders.add(asking)
        return True

    def rest(self, answered: GuardedProtocol) -> None:
        """Notes that no request of a connection waits for its answer any more."""
        if answered in self._holders:
            self._resting[answered] = None

    def leave(self, gone: GuardedProtocol) -> None:
        """Forgets a connection."""
        self._holders.discard(gone)
        for kind in (self._resting, self._silent, self._refused):
            kind.pop(gone, None)

    def _close_first(self, candidates: OrderedDict[GuardedProtocol, None]) -> bool:
        if not candidates:
            return False
        first = next(iter(candidates))
        self.leave(first)
        first.transport.abort()
        self._closed_for_others()
        return True


class GuardedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with a deadline in every state.

    It also bounds headers, trailers and pipelined requests, ignores upgrades, answers half-closed clients, makes room
    for new requests when resting connections fill the service, and lets requests on their way arrive when it stops.

    A connection takes one of the places that the service has when the headers of its first request are there, so that
    nobody is kept out by connections on which nothing comes. Without a place, a request is marked as crowded.

    Attributes:
        settings: Those of the service.
        places: Shared by its connections.
    """

    settings: ClassVar[ServeSettings]
    places: ClassVar[Places]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiving = Receiving.HEADERS
        self._read_timer: asyncio.TimerHandle | None = None
        self._read_until: float | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._overhead = 0
        self._received = b""
        self._stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Gives the first request its time."""
        self.places.enter(self)
        super().connection_made(GatheredTransport(transport, self.loop))  # type: ignore[arg-type]  # as uvicorn narrows it
        # The transport reports the moments between which bytes wait for the client.
        self.transport.set_write_buffer_limits(high=0)
        self._read_within(self.settings.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives its place back, and forgets the timers."""
        self.places.leave(self)
        self._read_until = None
        self._cancel_reading_timer()
        self._stop_writing_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what is neither body nor the end of a part: headers, trailers, chunk extensions, blank lines."""
        self._overhead += len(data)
        self._received = data
        super().data_received(data)
        self._received = b""
        if self._overhead > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse_headers()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # asyncio reads the result, uvicorn gives none
        """Keeps the connection of a client that has sent its whole request, until it is answered."""
        if self._rests or self._receiving is not Receiving.IDLE:
            cast("GatheredTransport", self.transport).flush()
            return None
        self.cycle.keep_alive = False
        self._read_within(HALF_CLOSED_S)
        return True

    def on_message_begin(self) -> None:
        """Starts the time of a request."""
        super().on_message_begin()
        self._receiving = Receiving.HEADERS
        self._read_within(self.settings.header_timeout_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header; a trailer comes after what it might change, and is dropped."""
        if self._receiving is Receiving.HEADERS:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts the time of the body.

        Raises:
            ValueError: The headers are too long, or too many requests wait in this connection; the parser turns it into
                an error of the request.
        """
        # They may have come in one read, and others, in which a body begins, say nothing of their length.
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            self._refuse_headers()
            raise ValueError("too long headers")
        has_place = self.places.take(self)
        if not has_place:
            self.scope[CROWDED] = True  # type: ignore[typeddict-unknown-key]  # of the application, not of ASGI
        super().on_headers_complete()
        self._receiving = Receiving.BODY
        self._overhead = 0
        # The application's own deadlines are shorter.
        self._read_within(self.settings.request_timeout_s + self.settings.body_timeout_s)
        if len(self.pipeline) > MAX_PIPELINED:
            raise ValueError("too many pipelined requests")
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and (self._stopping or not has_place):
            cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request, unless it was refused before."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Leaves the time to the application, until it has answered."""
        super().on_message_complete()
        self._receiving = Receiving.IDLE
        self._overhead = 0
        self._read_until = None
        if self._rests:
            self._read_within(self.settings.keep_alive_s)

    def on_response_complete(self) -> None:
        """Starts the time between two requests, or that of a body that nobody needs any more."""
        last = not self.pipeline
        super().on_response_complete()
        if self._rests:
            self.places.rest(self)
        if self.transport.is_closing() or not last:
            return
        if self._receiving is Receiving.BODY:
            self._read_within(LEFTOVER_S)
        elif self._receiving is Receiving.IDLE:
            self._read_within(self.settings.keep_alive_s)

    def pause_writing(self) -> None:
        """Starts the time in which the client must take what was written."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.settings.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Ends it."""
        super().resume_writing()
        self._stop_writing_timer()

    def shutdown(self) -> None:
        """Ends the connection once the request in flight, or the one on its way, is answered.

        Uvicorn closes every connection without a whole request, though the client of a new one has been let in and is
        sending; only connections that rest between two requests are closed at once here.
        """
        if self._receiving is not Receiving.HEADERS:
            super().shutdown()
            return
        self._stopping = True
        self._read_within(min(LAST_REQUEST_S, self.settings.header_timeout_s))

    def _should_upgrade(self) -> bool:
        # Uvicorn then starts no request, and calls `handle_websocket_upgrade`.
        return True

    def handle_websocket_upgrade(self) -> None:
        """Reads a request anew as if it had asked for no upgrade, which RFC 9110 (7.8) allows.

        The parser takes what follows such a request for another protocol; it is the body of a client that would also
        speak HTTP/2, such as Java's.
        """
        error = sys.exception()
        assert isinstance(error, httptools.HttpParserUpgrade)
        rest = self._received[cast("int", error.args[0]) :]
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        lines = [method + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name not in HOP_BY_HOP]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._overhead = 0
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    @property
    def _rests(self) -> bool:
        """Whether no whole request waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or (cycle.response_complete and not self.pipeline)

    def _refuse_headers(self) -> None:
        if self._rests:
            self.transport.write(TOO_LARGE)
        self.transport.close()

    def _read_within(self, seconds: float) -> None:
        """Sets the deadline. A request has four; the timer is only set anew where it would come too late for one."""
        self._read_until = self.loop.time() + seconds
        if self._read_timer is None or self._read_timer.when() > self._read_until:
            self._cancel_reading_timer()
            self._read_timer = self.loop.call_at(self._read_until, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        self._read_timer = None
        if self._read_until is None:
            return
        if self._read_until > self.loop.time():
            self._read_timer = self.loop.call_at(self._read_until, self._look_at_deadline)
        else:
            self.timeout_keep_alive_handler()

    def _cancel_reading_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _stop_writing_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def guarded_protocol(settings: ServeSettings, places: Places) -> type[GuardedProtocol]:
    """Returns the protocol of a service; uvicorn takes a class and makes its objects itself."""
    return type("ConfiguredProtocol", (GuardedProtocol,), {"settings": settings, "places": places})
