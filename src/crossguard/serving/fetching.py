"""Fetches images from the web, only from origins that the operator listed, and not from internal addresses.

`addresses.py` says which addresses those are. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import httpcore2

from crossguard.data.image_sources import shortened
from crossguard.errors import ConfigError, ImageError
from crossguard.serving.addresses import AddressBlockedError, GuardedBackend
from crossguard.serving.bodies import BodyHold
from crossguard.serving.errors import Overloaded, TooManyPosts
from crossguard.serving.rates import RateLimiter
from crossguard.serving.settings import MEBI

PORTS: Final = {"http": 80, "https": 443}
# What a URL may consist of (RFC 3986); anything else is read differently by different parsers.
PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
OK: Final = 200
CONNECTIONS: Final = 8
CONNECTIONS_PER_ORIGIN: Final = 4

Origin = tuple[str, str, int]


class FetchError(ImageError):
    """The server of an image did not give it: `image_fetch_failed`.

    Attributes:
        status: What it answered with; None where it did not answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__("image_fetch_failed", message)
        self.status = status


class Fetcher:
    """Fetches images.

    Args:
        origins: Scheme, host and port that may be asked, such as `https://media.example.com`.
        private: Whether they may lie at private or loopback addresses.
        timeout_s: Longest time for one image.
        max_bytes: Largest image.
        per_minute: Most images from one origin in a minute.

    Raises:
        ConfigError: An origin is not one.
    """

    def __init__(
        self, origins: Iterable[str], *, private: bool, timeout_s: float, max_bytes: int, per_minute: int
    ) -> None:
        self._origins = {_only_origin(origin) for origin in origins}
        self._per_minute = per_minute
        self._rates = RateLimiter()
        # A slow origin must not hold every connection.
        self._slots = {origin: asyncio.Semaphore(CONNECTIONS_PER_ORIGIN) for origin in self._origins}
        self._timeout = timeout_s
        self._max_bytes = max_bytes
        self._pool = httpcore2.AsyncConnectionPool(
            network_backend=GuardedBackend(private=private), max_connections=CONNECTIONS
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()

    async def fetch(self, url: str, hold: BodyHold) -> bytes:
        """Returns the encoded bytes of an image.

        Args:
            url: Where it lies.
            hold: Where its bytes count as they arrive.

        Raises:
            ImageError: `image_url_not_allowed`, `image_fetch_failed` or `image_too_large`.
        """
        origin, target = self._checked(url)
        scheme, host, port = origin
        try:
            self._rates.reserve(f"{scheme}://{host}:{port}", self._per_minute)
        except TooManyPosts as error:
            raise FetchError(
                f"More than {self._per_minute} images of this origin were asked for within a minute. Try again in "
                f"{error.retry_after} s."
            ) from None
        address = httpcore2.URL(scheme=scheme, host=host, port=port, target=target)
        # httpcore2 leaves the Host header to the caller when it gets a URL in parts.
        name = f"[{host}]" if ":" in host else host
        name = name if port == PORTS[scheme] else f"{name}:{port}"
        headers: dict[str | bytes, str | bytes] = {"Host": name, "User-Agent": "crossguard", "Accept": "image/*"}
        try:
            async with (
                self._slots[origin],  # the time of an origin begins when it is asked
                asyncio.timeout(self._timeout),
                self._pool.stream("GET", address, headers=headers) as response,
            ):
                return await self._read(response, url, hold)
        except AddressBlockedError as error:
            raise ImageError("image_url_not_allowed", f"'{shortened(url)}' leads to {error}.") from None
        except Overloaded as error:
            raise FetchError(error.message) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, TimeoutError) as error:
            raise FetchError(f"Cannot fetch '{shortened(url)}' ({type(error).__name__}).") from None

    async def _read(self, response: httpcore2.Response, url: str, hold: BodyHold) -> bytes:
        if response.status != OK:
            told = f"'{shortened(url)}' answered with status {response.status}; redirects are not followed."
            raise FetchError(told, response.status)
        body = bytearray()
        async for chunk in response.aiter_stream():
            if len(body) + len(chunk) > self._max_bytes:
                raise ImageError("image_too_large", f"An image may have {self._max_bytes / MEBI:g} MiB; this has more.")
            hold.take(len(chunk))
            body += chunk
        return bytes(body)

    def _checked(self, url: str) -> tuple[Origin, str]:
        origin = parse_origin(url) if PLAIN.fullmatch(url) else None
        if origin is None or origin not in self._origins:
            raise ImageError(
                "image_url_not_allowed",
                f"The origin of '{shortened(url)}' is not an allowed one. Send the image itself as a data: URL, or "
                "have the operator list the origin under fetch_origins.",
            )
        parts = urlsplit(url)
        return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _only_origin(url: str) -> Origin:
    """Returns an origin; with more to it, an operator would think that only this part of a host may be asked."""
    origin = parse_origin(url)
    if origin is None or urlsplit(url)[2:] not in {("", "", ""), ("/", "", "")}:
        raise ConfigError(f"'{shortened(url)}' is not an origin such as https://media.example.com, without a path.")
    return origin


def parse_origin(url: str) -> Origin | None:
    """Returns scheme, host and port of a URL; None without an http(s) scheme or a host, or with a user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or PORTS[parts.scheme]
