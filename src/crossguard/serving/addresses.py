"""Which addresses of the web may be connected to: never an internal one.

An address is checked when the connection is made, on the very address that is connected to, so a name that resolves to
something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

import httpcore2

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Services of cloud providers that answer machines with credentials or settings, at addresses that look like others.
METADATA: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # Oracle's is 192.0.0.192; the network is for protocols, never for media
            "168.63.129.16/32",  # Azure's platform, otherwise a public address
            "100.100.100.200/32",  # Alibaba's
            "fd00:ec2::/32",  # Amazon's is fd00:ec2::254
            "fd20:ce::/32",  # Google's is fd20:ce::254
            "fd00:42::/32",  # Scaleway's is fd00:42::42
            "64:ff9b:1::/48",  # translates to private addresses (RFC 8215)
        ),
    )
)


class AddressBlockedError(Exception):
    """A name leads to an address that must not be reached; says of which kind that is."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects only to addresses that are allowed.

    Args:
        private: Whether private and loopback addresses are.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private
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
            AddressBlockedError: One of them must not be reached.
            ConnectError: None answers.
        """
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        blocked = [address for address in addresses if not is_allowed(address, private=self._private)]
        if blocked or not addresses:
            if all(is_allowed(address, private=True) for address in addresses):
                raise AddressBlockedError("a private address, which is fetched only with --fetch-private")
            raise AddressBlockedError("an internal address, which is never fetched")
        *others, last = addresses
        for address in others:
            with contextlib.suppress(httpcore2.ConnectError):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
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
    return ip.is_global or (private and ip.is_private)


def _inner_address(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IPv4 address that an IPv6 address leads to, or the address itself."""
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or ip
