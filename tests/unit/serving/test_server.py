"""How a server stops, and who may reach it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import weakref
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import uvicorn
from tests.support.loops import in_loop

from crossguard.errors import ConfigError
from crossguard.moderator import Moderator
from crossguard.serving import logs, server
from crossguard.serving.served import Served
from crossguard.serving.server import DrainingServer, _accept_all, _most_connections, is_loopback, serve
from crossguard.serving.service import Service
from crossguard.serving.settings import ServeSettings


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.9", True), ("::1", True), ("LocalHost", True), ("a", False)])
def test_what_only_this_machine_reaches(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps what `serve` sets for the whole process from the other tests."""
    for module, name in ((gc, "freeze"), (gc, "set_threshold"), (sys, "setswitchinterval")):
        monkeypatch.setattr(module, name, lambda *_: None)
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("path", ["nowhere/suggestions.jsonl", "."])
def test_a_file_that_cannot_take_suggestions_is_told_at_the_start(path: str, tmp_path: Path) -> None:
    """Else every suggestion would fail, and nobody but their senders would know."""
    with pytest.raises(ConfigError, match="Cannot write suggestions to"):
        serve(ServeSettings(port=0, suggestions=tmp_path / path, model="nowhere"))


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize("signals", [0, 2])
def test_a_hangup_while_the_model_loads_is_a_reload_behind_it(
    signals: int, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloads: list[str] = []

    def load(_: ServeSettings) -> Served:
        for _number in range(signals):
            os.kill(os.getpid(), signal.SIGHUP)
        return service.served

    async def ends(*_: object, **__: object) -> None:
        assert len(reloads) == min(signals, 1)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.1)

    monkeypatch.setattr(server, "load_served", load)
    monkeypatch.setattr(DrainingServer, "serve", ends)
    monkeypatch.setattr(Service, "reload", lambda _: reloads.append("asked"))
    serve(ServeSettings(port=0))
    assert len(reloads) == min(signals, 1) + 1


@pytest.mark.usefixtures("own_process")
def test_a_reload_frees_the_first_model(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(dict[str, Moderator]):
        """A plain dictionary takes no weak reference."""

    second = service.served
    loaded = [replace(second, tenants=Watched())]
    freed: list[bool] = []

    async def run(running: Service, *_: object) -> None:
        first = weakref.ref(cast("Watched", running.served.tenants))
        freed.append(first() is None)
        running.served = second
        freed.append(first() is None)

    monkeypatch.setattr(server, "load_served", lambda _: loaded.pop())
    monkeypatch.setattr(server, "_run", run)
    serve(ServeSettings(port=0))
    assert freed == [False, True]


def test_connections_that_the_files_leave_no_room_for_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(logs, "event", lambda _name, _level, message: told.append(message))
    monkeypatch.setattr(server, "connections_within_files", lambda wanted: min(wanted, 512))
    assert _most_connections(ServeSettings(max_connections=512)) == 512
    assert told == []
    assert _most_connections(ServeSettings()) == 512
    assert "max_connections (1024): connections stay below 512" in told[0]


def deaf(service: Service) -> DrainingServer:
    """A server that does not listen; made in the loop that it belongs to."""
    return DrainingServer(uvicorn.Config(lambda: None, log_config=None), service)


@pytest.fixture
def patient(service: Service) -> Service:
    service.settings = ServeSettings(drain_s=3600)
    return service


@pytest.fixture
def brief(service: Service) -> Service:
    service.settings = ServeSettings(drain_s=0.01)
    return service


@in_loop
async def test_sigterm_drains_and_then_stops(brief: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float]] = []
    monkeypatch.setattr(logs, "event", lambda name, **fields: told.append((name, fields["seconds"])))
    running, stopped = deaf(brief), asyncio.Event()
    stop = running._stop

    def note() -> None:
        stop()
        stopped.set()

    monkeypatch.setattr(running, "_stop", note)
    running.handle_exit(signal.SIGTERM, None)
    assert brief.draining
    assert not running.should_exit
    async with asyncio.timeout(20):
        await stopped.wait()
    assert running.should_exit
    assert told == [("draining", 0.01)]


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
@in_loop
async def test_sigint_or_a_second_signal_stops_at_once(patient: Service, signals: list[signal.Signals]) -> None:
    running = deaf(patient)
    for each in signals:
        running.handle_exit(each, None)
    assert running.should_exit
    assert patient.draining


def test_connections_that_the_kernel_holds_are_accepted_before_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        clients = [socket.create_connection(listener.getsockname(), timeout=20) for _ in range(3)]
        accepted = list(_accept_all(listener))
        assert {each.getpeername() for each in accepted} == {each.getsockname() for each in clients}
        assert list(_accept_all(listener)) == []
        for each in (*clients, *accepted):
            with closing(each):
                pass
