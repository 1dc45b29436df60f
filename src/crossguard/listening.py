"""The socket that a server listens on, and whom it hears there."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import Final

from crossguard.errors import ConfigError

BACKLOG: Final = 2048
# What stands for every interface, and the address by which this machine reaches itself there.
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a link leads, not where to listen


def listen(host: str, port: int) -> socket.socket:
    """Opens the listening socket.

    Raises:
        ConfigError: The address is none, or not this machine's, or the port is taken or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except UnicodeError:
        raise ConfigError(f"Cannot listen on {host}:{port}: it is no host name. Try another --host.") from None
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}. Try another --port, or 0.") from None
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, which these do not, and without
    # it the body of an answer waits until the client has acknowledged the headers: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def web_address(host: str, port: int) -> str:
    """Returns the address under which a browser on this machine finds what listens there."""
    host = EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@lru_cache(maxsize=1024)
def network_of(host: str) -> str:
    """Returns the address of a client; of an IPv6 client the network of 64 bits, all of which one client may own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host
