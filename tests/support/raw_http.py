"""Speaks to a server through a bare socket, as hostile and clumsy clients do."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from pathlib import Path

from tests.support.server import RunningServer

MEBI = 1024 * 1024
HEAD = b"POST /v1/score HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
GOOD = b'{"text": "hello"}'
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


def connect(server: RunningServer, timeout: float = 20) -> socket.socket:
    """Opens a connection."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def send(server: RunningServer, *pieces: bytes, pause: float = 0.0, half_close: bool = False) -> bytes:
    """Sends bytes and returns all that comes back until the server closes, or for twenty seconds."""
    received = b""
    with connect(server) as connection:
        with contextlib.suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def seconds_until_closed(connection: socket.socket, dribble: bytes = b"", pause: float = 0.1) -> float:
    """Returns how long a server keeps a connection on which a client sends these bytes again and again.

    Raises:
        TimeoutError: Longer than the connection's own timeout.
    """
    begun = time.monotonic()
    end = begun + (connection.gettimeout() or 20)
    connection.settimeout(pause)
    while time.monotonic() < end:
        try:
            connection.sendall(dribble)
            if not connection.recv(65536):
                return time.monotonic() - begun
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - begun
    raise TimeoutError("the connection is still open")


def cap_memory(server: RunningServer, mebibytes: int) -> None:
    """Lets the process fail, as under the limit of a container, when its data outgrows a cap."""
    resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (mebibytes * MEBI,) * 2)


def peak_mebibytes(server: RunningServer) -> float:
    """Returns the most resident memory that the process has had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def assert_serves(server: RunningServer) -> None:
    """Checks that an ordinary client still gets its answer."""
    with server.client() as client:
        assert client.post("/v1/score", json={"text": "hello"}).json()["status"] == "scored"
