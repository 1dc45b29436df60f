from __future__ import annotations

import contextlib
import socket

import pytest

from crossguard.errors import ConfigError
from crossguard.listening import listen, network_of, web_address


def test_answers_do_not_wait_for_the_client_to_acknowledge_their_headers() -> None:
    with (
        contextlib.closing(listen("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_named() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Cannot listen on 127\.0\.0\.1:{port}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
def test_a_host_that_can_be_no_name_is_named(host: str) -> None:
    with pytest.raises(ConfigError, match=f"Cannot listen on {host}:0: it is no host name"):
        listen(host, 0)


def test_an_address_of_version_6_stands_in_brackets() -> None:
    here = ["http://[::1]:80", "http://127.0.0.1:80"]
    assert [web_address(host, 80) for host in ("::1", "127.0.0.1")] == here
    assert [web_address(host, 80) for host in ("::", "0.0.0.0")] == here  # noqa: S104


def test_a_client_of_version_6_is_known_by_its_network() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    for host in ("192.0.2.1", "::ffff:192.0.2.1", "testclient", ""):
        assert network_of(host) == host
