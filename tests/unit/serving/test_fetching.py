from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpcore2
import pytest
from tests.support.loops import in_loop

from crossguard.errors import ConfigError, ImageError
from crossguard.serving.bodies import BodyBudget, BodyHold
from crossguard.serving.fetching import (
    CONNECTIONS_PER_ORIGIN,
    Fetcher,
    GuardedBackend,
    is_allowed,
    parse_origin,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Media.Example.com/a.png?b#c", ("https", "media.example.com", 443)),
        ("http://media.example.com:8080", ("http", "media.example.com", 8080)),
        ("https://B\u00fccher.example/a.png", ("https", "xn--bcher-kva.example", 443)),
        ("https://b%C3%BCcher.example", ("https", "xn--bcher-kva.example", 443)),
        ("https://stra\u00dfe.example:8443", ("https", "xn--strae-oqa.example", 8443)),
        ("http://[::1]:8080", ("http", "::1", 8080)),
    ],
)
def test_origins(url: str, origin: tuple[str, str, int]) -> None:
    assert parse_origin(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example", "a.example", "https://", "https://u:p@a.example", "https://a.example:x", "https://[::1"),
        *("https://b\u00fc..example", "https://b%FCcher.example", "https://" + "\u00fc" * 80),
        "https://b\u00fccher.example%2f@evil.example",
    ],
)
def test_what_is_no_origin(url: str) -> None:
    assert parse_origin(url) is None


@pytest.mark.parametrize(
    "url", ["https://media.example.com/public", "https://media.example.com?x", "https://a.b/#c", "https://*.a.b"]
)
def test_a_part_of_a_host_is_no_origin(url: str) -> None:
    """All of the host would be open."""
    with pytest.raises(ConfigError, match="is not an origin such as"):
        Fetcher([url], private=False, timeout_s=1, max_bytes=1, per_minute=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/a.png",
        "http://media.example.com/a.png",
        "https://media.example.com:444/a.png",
        "https://media.example.com@evil.example/a.png",
        "https://evil.example\\@media.example.com/a.png",
        "https://media.example.com.evil.example/a.png",
        "https://media.example.com\r\nHost: evil.example/",
        "gopher://media.example.com/",
    ],
)
def test_only_the_listed_origins_are_asked(url: str) -> None:
    fetcher = Fetcher(["https://media.example.com"], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError) as refused:
        asyncio.run(fetcher.fetch(url, BodyHold(BodyBudget(1000))))
    assert refused.value.code == "image_url_not_allowed"


@pytest.mark.parametrize(
    ("host", "private", "message"),
    [
        ("127.0.0.1", False, "leads to a private address, which is fetched only with --fetch-private."),
        ("169.254.169.254", False, "leads to an internal address, which is never fetched."),
        ("169.254.169.254", True, "leads to an internal address, which is never fetched."),
    ],
)
def test_addresses_that_are_not_asked_say_which_ones_could_be(host: str, private: bool, message: str) -> None:
    fetcher = Fetcher([f"http://{host}"], private=private, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError, match=message) as refused:
        asyncio.run(fetcher.fetch(f"http://{host}/a.png", BodyHold(BodyBudget(1000))))
    assert refused.value.code == "image_url_not_allowed"


def test_slow_origins_hold_up_no_other() -> None:
    async def quick(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nimage")
        await writer.drain()
        writer.close()

    async def fetch(ports: list[int]) -> bytes:
        server = await asyncio.start_server(quick, "127.0.0.1", 0)
        *slow, healthy = (f"http://127.0.0.1:{port}" for port in [*ports, server.sockets[0].getsockname()[1]])
        fetcher = Fetcher([*slow, healthy], private=True, timeout_s=20, max_bytes=1000, per_minute=600)
        hold = BodyHold(BodyBudget(1000))
        urls = [f"{origin}/{number}" for origin in slow for number in range(CONNECTIONS_PER_ORIGIN)]
        waiting = [asyncio.ensure_future(fetcher.fetch(url, hold)) for url in urls]
        await asyncio.sleep(0.1)
        image = await asyncio.wait_for(fetcher.fetch(f"{healthy}/a.png", hold), 10)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await fetcher.close()
        server.close()
        return image

    with ExitStack() as stack:
        # The kernel takes connections to these, and nobody answers.
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        assert asyncio.run(fetch([one.getsockname()[1] for one in silent])) == b"image"


def test_nothing_is_fetched_by_default() -> None:
    fetcher = Fetcher([], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError, match="fetch_origins"):
        asyncio.run(fetcher.fetch("https://media.example.com/a.png", BodyHold(BodyBudget(1000))))


Asked = list[tuple[str, bytes]]


def answered(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, seconds: float = 0) -> Asked:
    """Lets every request be answered after some time; returns the host and the target of each, as they come."""
    asked: Asked = []

    @asynccontextmanager
    async def stream(_: str, address: httpcore2.URL, headers: dict[str, str]) -> AsyncIterator[None]:
        asked.append((headers["Host"], address.target))
        await asyncio.sleep(seconds)
        yield

    async def content(*_: object) -> bytes:
        return b"image"

    monkeypatch.setattr(fetcher._pool, "stream", stream)
    monkeypatch.setattr(fetcher, "_read", content)
    return asked


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://media.example.com", "media.example.com"),
        ("http://media.example.com:8080", "media.example.com:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[::1]"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_named_as_in_the_address(monkeypatch: pytest.MonkeyPatch, origin: str, host: str) -> None:
    fetcher = Fetcher([origin], private=True, timeout_s=1, max_bytes=1000, per_minute=60)
    asked = answered(fetcher, monkeypatch)
    asyncio.run(fetcher.fetch(f"{origin}/a.png", BodyHold(BodyBudget(1000))))
    assert asked == [(host, b"/a.png")]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/my photo.jpg", b"/my%20photo.jpg"),
        ("/caf\u00e9.jpg?size=a|b#top", b"/caf%C3%A9.jpg?size=a%7Cb"),
        ("/a%20b.jpg", b"/a%20b.jpg"),
        ("/a\r\nb", b"/a%0D%0Ab"),
    ],
)
def test_an_address_is_encoded_as_browsers_do(monkeypatch: pytest.MonkeyPatch, path: str, target: bytes) -> None:
    fetcher = Fetcher(["https://media.example.com"], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    asked = answered(fetcher, monkeypatch)
    asyncio.run(fetcher.fetch(f"https://media.example.com{path}", BodyHold(BodyBudget(1000))))
    assert asked == [("media.example.com", target)]


@in_loop
async def test_the_time_of_an_image_begins_when_its_origin_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it waits for others of the same origin, of which few are asked for at once."""
    fetcher = Fetcher(["https://media.example.com"], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    answered(fetcher, monkeypatch, seconds=0.15)
    hold = BodyHold(BodyBudget(1000))
    urls = [f"https://media.example.com/{number}" for number in range(8 * CONNECTIONS_PER_ORIGIN)]
    assert await asyncio.gather(*(fetcher.fetch(url, hold) for url in urls)) == [b"image"] * len(urls)


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
        "fec0::1",
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
    assert is_allowed("fec0::1", private=True)  # their predecessors, which some networks still have


@in_loop
async def test_one_internal_address_of_a_name_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(ImageError, match="leads to a private address"):
        await GuardedBackend(private=False, timeout_s=1).connect_tcp("media.example.com", 80)


def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is ::1 first, and many servers listen on 127.0.0.1 only; a firewall may drop what goes over IPv6."""

    async def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("::1", "127.0.0.1")]

    class Inner:
        async def connect_tcp(self, host: str, port: int, timeout: float | None, *_: Any) -> str:  # noqa: ASYNC109
            if host in silent:
                raise silent[host](host)
            given.append((port, timeout))
            return host

    async def connect() -> object:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
        backend = GuardedBackend(private=True, timeout_s=6)
        monkeypatch.setattr(backend, "_inner", Inner())
        return await backend.connect_tcp("localhost", 80)

    given: list[tuple[int, float | None]] = []
    silent: dict[str, type[Exception]] = {}
    assert asyncio.run(connect()) == "::1"
    assert given == [(80, 2)], "a third of the time, which leaves one for the other address and one for the answer"
    for error in (httpcore2.ConnectError, httpcore2.ConnectTimeout):
        silent["::1"] = error
        assert asyncio.run(connect()) == "127.0.0.1"
    silent["127.0.0.1"] = httpcore2.ConnectError
    with pytest.raises(httpcore2.ConnectError):
        asyncio.run(connect())
