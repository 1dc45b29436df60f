from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from crossguard.errors import ConfigError, ImageError
from crossguard.serving.bodies import BodyBudget, BodyHold
from crossguard.serving.fetching import AddressBlockedError, Fetcher, GuardedBackend, is_allowed, parse_origin


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


def test_one_internal_address_of_a_name_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "127.0.0.1")]

    async def connect() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        await GuardedBackend(private=False).connect_tcp("media.example.com", 80)

    with pytest.raises(AddressBlockedError):
        asyncio.run(connect())


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Media.Example.com/a.png?b#c", ("https", "media.example.com", 443)),
        ("http://media.example.com:8080", ("http", "media.example.com", 8080)),
    ],
)
def test_origins(url: str, origin: tuple[str, str, int]) -> None:
    assert parse_origin(url) == origin


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "a.example", "https://", "https://u:p@a.example", "https://a.example:x", "https://[::1"]
)
def test_what_is_no_origin(url: str) -> None:
    with pytest.raises(ConfigError):
        parse_origin(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/a.png",
        "http://media.example.com/a.png",
        "https://media.example.com:444/a.png",
        "https://media.example.com@evil.example/a.png",
        "https://evil.example\\@media.example.com/a.png",
        "https://media.example.com.evil.example/a.png",
        "https://media.example.com/a b",
        "https://media.example.com\r\nHost: evil.example/",
        "gopher://media.example.com/",
    ],
)
def test_only_the_listed_origins_are_asked(url: str) -> None:
    fetcher = Fetcher(["https://media.example.com"], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError) as refused:
        asyncio.run(fetcher.fetch(url, BodyHold(BodyBudget(1000))))
    assert refused.value.code == "image_url_not_allowed"


def test_nothing_is_fetched_by_default() -> None:
    fetcher = Fetcher([], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError, match="fetch_origins"):
        asyncio.run(fetcher.fetch("https://media.example.com/a.png", BodyHold(BodyBudget(1000))))
