from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crossguard.errors import ConfigError, ImageError
from crossguard.serving.bodies import BodyBudget, BodyHold
from crossguard.serving.fetching import CONNECTIONS_PER_ORIGIN, Fetcher, parse_origin


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
    assert parse_origin(url) is None


@pytest.mark.parametrize("url", ["https://media.example.com/public", "https://media.example.com?x", "https://a.b/#c"])
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


def test_nothing_is_fetched_by_default() -> None:
    fetcher = Fetcher([], private=False, timeout_s=1, max_bytes=1000, per_minute=60)
    with pytest.raises(ImageError, match="fetch_origins"):
        asyncio.run(fetcher.fetch("https://media.example.com/a.png", BodyHold(BodyBudget(1000))))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://media.example.com", "media.example.com"),
        ("http://media.example.com:8080", "media.example.com:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[::1]"),
    ],
)
def test_the_host_is_named_as_in_the_address(monkeypatch: pytest.MonkeyPatch, origin: str, host: str) -> None:
    fetcher = Fetcher([origin], private=True, timeout_s=1, max_bytes=1000, per_minute=60)
    asked: list[str] = []

    @asynccontextmanager
    async def stream(*_: object, headers: dict[str, str]) -> AsyncIterator[None]:
        asked.append(headers["Host"])
        yield

    async def content(*_: object) -> bytes:
        return b"image"

    monkeypatch.setattr(fetcher._pool, "stream", stream)
    monkeypatch.setattr(fetcher, "_read", content)
    asyncio.run(fetcher.fetch(f"{origin}/a.png", BodyHold(BodyBudget(1000))))
    assert asked == [host]


def test_the_time_of_an_image_begins_when_its_origin_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it waits for others of the same origin, of which few are asked for at once."""
    fetcher = Fetcher(["https://media.example.com"], private=False, timeout_s=1, max_bytes=1000, per_minute=60)

    @asynccontextmanager
    async def stream(*_: object, **__: object) -> AsyncIterator[None]:
        await asyncio.sleep(0.15)
        yield

    async def content(*_: object) -> bytes:
        return b"image"

    monkeypatch.setattr(fetcher._pool, "stream", stream)
    monkeypatch.setattr(fetcher, "_read", content)

    async def fetch_all() -> list[bytes]:
        hold = BodyHold(BodyBudget(1000))
        return await asyncio.gather(
            *(
                fetcher.fetch(f"https://media.example.com/{number}", hold)
                for number in range(8 * CONNECTIONS_PER_ORIGIN)
            )
        )

    assert asyncio.run(fetch_all()) == [b"image"] * 8 * CONNECTIONS_PER_ORIGIN
