from __future__ import annotations

import contextlib
import resource
import socket
import sys

import pytest

from crossguard.errors import ConfigError
from crossguard.listening import connections_within_files, listen, network_of, web_address


def test_answers_do_not_wait_for_the_client_to_acknowledge_their_headers() -> None:
    with (
        contextlib.closing(listen("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_every_interface_of_version_6_is_every_interface() -> None:
    with contextlib.closing(listen("::", 0)) as listener:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, listener.getsockname()[1])).close()


def test_a_port_that_is_taken_is_named() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Cannot listen on 127\.0\.0\.1:{port}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
def test_a_host_that_can_be_no_name_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match=f"Cannot listen on {host}:0: it is no host name"):
        listen(host, 0)


MANY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "granted", "set_to", "fit"),
    [
        ((1024, 524_288), 524_288, [2048], 1024),  # most shells, and systemd
        ((256, MANY), 10_240, [2048], 1024),  # macOS
        ((4096, 4096), 4096, [], 1024),
        ((MANY, MANY), 524_288, [], 1024),
        ((1024, 1024), 1024, [], 512),
        ((512, 1800), 1800, [1800], 900),
        ((256, 256), 256, [], 128),
        ((1024, 524_288), 1024, [], 512),  # where a sandbox forbids it
    ],
)
def test_as_many_connections_fit_as_files_may_be_open(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], granted: int, set_to: list[int], fit: int
) -> None:
    done: list[int] = []

    def limit(_: int, pair: tuple[int, int]) -> None:
        if pair[0] > granted:
            raise ValueError("current limit exceeds maximum limit")
        assert pair[1] == limits[1]
        done.append(pair[0])

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", limit)
    assert connections_within_files(1024) == fit
    assert done == set_to


def test_macos_grants_less_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def limit(_: int, pair: tuple[int, int]) -> None:
        asked.append(pair[0])
        if pair[0] > 10_240:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, MANY))
    monkeypatch.setattr(resource, "setrlimit", limit)
    assert connections_within_files(20_000) == 10_240 - 1024
    assert asked == [21_024, 10_240]


def test_windows_has_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert connections_within_files(20_000) == 20_000


def test_an_address_of_version_6_stands_in_brackets() -> None:
    here = ["http://[::1]:80", "http://127.0.0.1:80"]
    assert [web_address(host, 80) for host in ("::1", "127.0.0.1")] == here
    assert [web_address(host, 80) for host in ("::", "0.0.0.0")] == here  # noqa: S104


def test_a_client_of_version_6_is_known_by_its_network() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    for host in ("192.0.2.1", "::ffff:192.0.2.1", "testclient", ""):
        assert network_of(host) == host
