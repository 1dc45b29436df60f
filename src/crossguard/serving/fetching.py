"""Fetches images from the web, only from origins that the operator listed, and not from internal addresses.

An address is checked when the connection is made, on the very address that is connected to, so a name that resolves to
something else a moment later (DNS rebinding) gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import httpcore2
import httpx2

from crossguard.errors import ConfigError, ImageError, shortened
from crossguard.serving.bodies import BodyHold
from crossguard.serving.errors import Overloaded, TooManyPosts
from crossguard.serving.rates import RateLimiter

PORTS: Final = {"http": 80, "https": 443}
# What a URL may have beside letters and digits (RFC 3986); the rest is read differently by different parsers, and is
# encoded first, as browsers do.
PLAIN: Final = "-._~:/?#[]@!$&'()*+,;=%"
CONNECTIONS_PER_ORIGIN: Final = 4
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Services of cloud providers that answer machines with credentials or settings, at addresses that look like others.
METADATA: Final = (
    ipaddress.ip_network("192.0.0.0/24"),  # Oracle's is 192.0.0.192; the network is for protocols, never for media
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's platform, otherwise a public address
    ipaddress.ip_network("100.100.100.200/32"),  # Alibaba's
    ipaddress.ip_network("fd00:ec2::/32"),  # Amazon's is fd00:ec2::254
    ipaddress.ip_network("fd20:ce::/32"),  # Google's is fd20:ce::254
    ipaddress.ip_network("fd00:42::/32"),  # Scaleway's is fd00:42::42
    ipaddress.ip_network("64:ff9b:1::/48"),  # translates to private addresses (RFC 8215)
)

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
        # By the origins that may be asked: a slow one must hold no connection of the others.
        self._slots = {_only_origin(origin): asyncio.Semaphore(CONNECTIONS_PER_ORIGIN) for origin in origins}
        self._per_minute = per_minute
        self._rates = RateLimiter()
        self._timeout = timeout_s
        self._max_bytes = max_bytes
        self._pool = httpcore2.AsyncConnectionPool(
            network_backend=GuardedBackend(private=private, timeout_s=timeout_s),
            max_connections=CONNECTIONS_PER_ORIGIN * max(1, len(self._slots)),
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
        except Overloaded as error:
            raise FetchError(error.message) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, TimeoutError) as error:
            raise FetchError(f"Cannot fetch '{shortened(url)}' ({type(error).__name__}).") from None

    async def _read(self, response: httpcore2.Response, url: str, hold: BodyHold) -> bytes:
        if response.status != HTTPStatus.OK:
            told = f"'{shortened(url)}' answered with status {response.status}; redirects are not followed."
            raise FetchError(told, response.status)
        body = bytearray()
        async for chunk in response.aiter_stream():
            if len(body) + len(chunk) > self._max_bytes:
                raise ImageError("image_too_large", f"An image may have {self._max_bytes:,} bytes; this has more.")
            hold.take(len(chunk))
            body += chunk
        return bytes(body)

    def _checked(self, url: str) -> tuple[Origin, str]:
        plain = quote(url, safe=PLAIN, errors="replace")
        origin = parse_origin(plain)
        if origin is None or origin not in self._slots:
            raise ImageError(
                "image_url_not_allowed",
                f"The origin of '{shortened(url)}' is not an allowed one. Send the image itself as a data: URL, or "
                "have the operator list the origin under fetch_origins.",
            )
        parts = urlsplit(plain)
        return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _only_origin(url: str) -> Origin:
    """Returns an origin; with more to it, an operator would think that only this part of a host may be asked."""
    origin = parse_origin(url)
    if origin is None or "*" in url or urlsplit(url)[2:] not in {("", "", ""), ("/", "", "")}:
        raise ConfigError(
            f"'{shortened(url)}' is not an origin such as https://media.example.com, without a path or a *."
        )
    return origin


def parse_origin(url: str) -> Origin | None:
    """Returns scheme, host and port of a URL; None without an http(s) scheme or a host, or with a user.

    A host with letters beyond ASCII, which may be percent-encoded, is given as name servers know it (`xn--...`).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _as_ascii(parts.hostname or "")
    except (ValueError, httpx2.InvalidURL):
        return None
    if parts.scheme not in PORTS or not host or "@" in parts.netloc:
        return None
    return parts.scheme, host, port or PORTS[parts.scheme]


def _as_ascii(host: str) -> str:
    plain = unquote(host, errors="strict")
    return host if plain.isascii() else httpx2.URL(scheme="https", host=plain).raw_host.decode()


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that are allowed.

    Args:
        private: Whether private and loopback ones are.
        timeout_s: Longest time of a fetch, of which each address of a name gets a share, and the answer one.
    """

    def __init__(self, *, private: bool, timeout_s: float) -> None:
        self._private = private
        self._timeout = timeout_s
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature belongs to httpcore2
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolves a name, checks every address of it, and connects to the first that answers.

        Raises:
            ImageError: `image_url_not_allowed`: one of them must not be reached.
            ConnectError: None answers.
        """
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        blocked = [address for address in addresses if not is_allowed(address, private=self._private)]
        if blocked or not addresses:
            kind = "an internal address, which is never fetched"
            if all(is_allowed(address, private=True) for address in addresses):
                kind = "a private address, which is fetched only with --fetch-private"
            raise ImageError("image_url_not_allowed", f"'{shortened(host)}' leads to {kind}.")
        *others, last = addresses
        share = self._timeout / (len(addresses) + 1)
        for address in others:
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)


def is_allowed(address: str, *, private: bool) -> bool:
    """Whether an IP address may be connected to. Those of cloud metadata, such as link-local ones, never may."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _inner_address(ip)
    if any(ip in network for network in METADATA):
        return False
    if ip.is_loopback:  # Python counts that of IPv6 among the reserved ones, too
        return private
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return False
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local  # which Python counts as global
    return private if site_local else ip.is_global or (private and ip.is_private)


def _inner_address(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IPv4 address that an IPv6 address leads to, or the address itself."""
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
