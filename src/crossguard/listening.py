"""The socket that a server listens on, and whom it hears there."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from functools import lru_cache
from typing import Final

from crossguard.errors import ConfigError

BACKLOG: Final = 2048
ACCEPTED_AT_ONCE: Final = 16
"""Connections that asyncio accepts in one turn of its loop, which it calls `backlog`. Each takes a file for some turns
before it counts as a connection, for which one at rest is closed."""
SPARE_FILES: Final = 1024
"""Files beside the connections that count: those just accepted or without a request, pipes of processes, the model."""
MACOS_FILES: Final = 10_240  # the most that macOS grants where it says that it grants any number
# What stands for every interface, and the address by which this machine reaches itself there.
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a link leads, not where to listen


def listen(host: str, port: int) -> socket.socket:
    """Opens the listening socket; at `::` for clients of IPv4, too, as at every interface.

    Raises:
        ConfigError: The address is none, or not this machine's, or the port is taken or not allowed.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except UnicodeError:
        raise ConfigError(f"Cannot listen on {host}:{port}: it is no host name. Try another --host.") from None
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}. Try another --port, or 0.") from None
    # Connections inherit it. asyncio sets it only on sockets that name their protocol, which these do not, and without
    # it the body of an answer waits until the client has acknowledged the headers: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def connections_within_files(wanted: int) -> int:
    """Raises the limit of this process's open files as needed, and returns how many of the connections it has room for.

    Most shells and systemd start a process with a limit of 1,024 files that it may raise itself; macOS with 256. Beyond
    it, no connection is accepted, so that none is there for which an idle one could be closed.
    """
    files = _allow_files(wanted + SPARE_FILES)
    return min(wanted, max(files - SPARE_FILES, files // 2))


def _allow_files(number: int) -> int:
    try:
        import resource
    except ImportError:  # Windows, where sockets are no files
        return number
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return number
    most = number if hard == resource.RLIM_INFINITY else min(number, hard)
    for files in (most, min(most, MACOS_FILES)):
        if files > soft:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
                return files
    return min(number, soft)


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
