from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpcore2
import pytest

from crossguard.serving.addresses import AddressBlockedError, GuardedBackend, is_allowed


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111"])
def test_addresses_of_the_internet_are_allowed(address: str) -> None:
    assert is_allowed(address, private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:0001::",
        "2001:0:0:0:0:0:80ff:fffe",
    ],
)
def test_internal_addresses_are_not(address: str) -> None:
    assert not is_allowed(address, private=False)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1%eth0", "fe80::1", "0.0.0.0", "224.0.0.1", "::", "::ffff:169.254.169.254", "240.0.0.1"],  # noqa: S104
)
def test_metadata_and_odd_addresses_never_are(address: str) -> None:
    assert not is_allowed(address, private=True)


def test_private_addresses_are_a_choice() -> None:
    assert is_allowed("10.1.2.3", private=True)
    assert is_allowed("127.0.0.1", private=True)
    assert is_allowed("::1", private=True)  # what localhost is, too, on most machines
    assert is_allowed("fd00::1", private=True)


def test_one_internal_address_of_a_name_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "127.0.0.1")]

    async def connect() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        await GuardedBackend(private=False).connect_tcp("media.example.com", 80)

    with pytest.raises(AddressBlockedError):
        asyncio.run(connect())


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is ::1 first, and many servers listen on 127.0.0.1 only."""

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("::1", "127.0.0.1")]

    class Inner:
        async def connect_tcp(self, host: str, *_: Any) -> str:
            if host in silent:
                raise httpcore2.ConnectError(host)
            return host

    async def connect() -> object:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        backend = GuardedBackend(private=True)
        monkeypatch.setattr(backend, "_inner", Inner())
        return await backend.connect_tcp("localhost", 80)

    silent = {"::1"}
    assert asyncio.run(connect()) == "127.0.0.1"
    silent.add("127.0.0.1")
    with pytest.raises(httpcore2.ConnectError):
        asyncio.run(connect())
