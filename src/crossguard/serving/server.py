"""Runs a service in this process: socket, signals, drain, reload."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import cast

import uvicorn

from crossguard.errors import ConfigError
from crossguard.listening import ACCEPTED_AT_ONCE, BACKLOG, connections_within_files, listen, web_address
from crossguard.serving import logs
from crossguard.serving.app import create_app
from crossguard.serving.interfaces.perspective.suggestions import check_file
from crossguard.serving.protocol import GuardedProtocol, Places, guarded_protocol
from crossguard.serving.served import load_served
from crossguard.serving.service import Service
from crossguard.serving.settings import ServeSettings
from crossguard.serving.telemetry import serve_metrics

SWITCH_S = 0.0005
"""Seconds after which a thread that computes lets others go on. A request is taken on by half a dozen threads, and each
would wait Python's 5 ms for one that cleans a long text."""
NEW_OBJECTS = 10_000
"""After so many, Python looks for cycles; no request leaves any. With its 700, that took a sixth of the loop's time,
and now and then, with all that is imported, 50 ms in which nothing else ran."""
ACCEPTED_S = 0.01
"""Seconds, many turns of the loop, in which an accepted connection gets its protocol."""


def serve(settings: ServeSettings) -> None:
    """Serves until SIGTERM or SIGINT.

    SIGTERM drains: `/readyz` says no, requests are still answered for `drain_s`, then the socket closes and requests
    in flight finish. SIGINT does not wait for `drain_s`. SIGHUP reloads model, policies and keys, also where it comes
    before they are loaded for the first time.

    Raises:
        ConfigError: A setting, policy, key or file is wrong, the port is taken, or everybody could call unasked.
    """
    early = _early_reloads()
    if settings.keys_file is None and not settings.insecure and not is_loopback(settings.host):
        raise ConfigError(
            f"Without API keys, whoever reaches {settings.host} may call. Make a key with 'crossguard serve --new-key "
            "NAME' and name its file by --keys-file; or listen on 127.0.0.1; or, where something in front of the "
            "service decides who may call, say --insecure=true."
        )
    if settings.suggestions is not None:
        check_file(settings.suggestions)
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # before the model is loaded, which a reload must be able to free
    gc.set_threshold(NEW_OBJECTS)
    listener = listen(settings.host, settings.port)
    with contextlib.closing(listener):
        # No name here: it would hold the first model for as long as the process lives, through every reload.
        asyncio.run(_run(Service(settings, load_served(settings)), listener, early))


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _early_reloads() -> list[int]:
    """Returns where each SIGHUP is noted from now on, which would end the process, until the loop takes them over."""
    noted: list[int] = []
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda number, _: noted.append(number))
    return noted


async def _run(service: Service, listener: socket.socket, early: Sequence[int]) -> None:
    settings = service.settings
    config = uvicorn.Config(
        create_app(service),
        http=guarded_protocol(settings, Places(_most_connections(settings), service.telemetry.closed.inc)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a header that any caller can send must not give them a rate of their own
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.stop_s,
        backlog=ACCEPTED_AT_ONCE,
    )
    server = DrainingServer(config, service)
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.reload)
    if early:
        service.reload()
    host, port = listener.getsockname()[:2]
    if not service.served.keys and not is_loopback(settings.host):
        logs.event("open_to_everybody", 30, message="No API keys: whoever reaches this address may call it.")
    if settings.metrics_port:
        serve_metrics(service.telemetry.registry, settings.host, settings.metrics_port)
    logs.event("listening", url=web_address(host, port), docs="/docs")
    await server.serve(sockets=[listener])
    logs.event("stopped")


def _most_connections(settings: ServeSettings) -> int:
    fit = connections_within_files(settings.max_connections)
    if fit < settings.max_connections:
        message = (
            f"This process may open too few files for max_connections ({settings.max_connections}): connections stay "
            f"below {fit}. Allow it more: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of docker run."
        )
        logs.event("fewer_connections", logging.WARNING, message=message)
    return fit


class DrainingServer(uvicorn.Server):
    """Uvicorn's server, which keeps serving for a while after SIGTERM so that load balancers can look away."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as signal handlers are called
        """Begins to drain; a second signal, or SIGINT, stops at once."""
        if self._service.draining or sig == signal.SIGINT:
            self._service.draining = True
            self.should_exit = True
            return
        self._service.draining = True
        logs.event("draining", seconds=self._service.settings.drain_s)
        self._loop.call_soon_threadsafe(self._loop.call_later, self._service.settings.drain_s, self._stop)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and lets more connections wait in the kernel than asyncio accepts at once and has asked it for."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts the connections that already wait, closes the socket, and lets every request finish.

        Closing a listening socket resets the connections that the kernel holds for it, and fails those that asyncio
        has accepted but not yet given a protocol. So the loop is told to accept no more, gets time for what it has
        accepted, and what has queued meanwhile is accepted here.
        """
        listeners = sockets or []
        for listener in listeners:
            self._loop.remove_reader(listener)
        await asyncio.sleep(ACCEPTED_S)
        waiting = [connection for listener in listeners for connection in _accept_all(listener)]
        for server in self.servers:
            server.close()
        for connection in waiting:
            with contextlib.suppress(OSError):
                await self._loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        kind = cast("type[GuardedProtocol]", self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _stop(self) -> None:
        self.should_exit = True


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    while True:
        try:
            yield listener.accept()[0]
        except OSError:  # none is left (the socket does not block), or no file descriptor is
            return
