"""An S3 on this machine (moto's server) that can be made to fail as real ones do."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from pyarrow import fs

from crossguard.data.storage import Storage, _opened

_LISTED: Final = re.compile(rb"<Contents>.*?<Key>(.*?)</Key>.*?</Contents>", re.DOTALL)


class Faults:
    """Stands in front of S3.

    Attributes:
        left: How many of the next requests are answered with 503.
        every: Each so-manieth request is, too; none when 0.
        late: Seconds until a new object is listed.
        seen: Requests so far.
        puts: Those that wrote.
    """

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application
        self._written: dict[str, float] = {}
        self.left = self.every = self.seen = self.puts = 0
        self.late = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen += 1
        writes = environ["REQUEST_METHOD"] in {"PUT", "POST"}
        self.puts += writes
        if self.left > 0 or (self.every and self.seen % self.every == 0):
            self.left -= 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", "0")])
            return []
        if writes:
            self._written.setdefault(environ["PATH_INFO"].rpartition("bucket/")[2], time.monotonic())
        if self.late and "list-type=2" in environ.get("QUERY_STRING", ""):
            return self._listing(environ, start_response)
        found: Iterable[bytes] = self._application(environ, start_response)
        return found

    def _listing(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answers without the objects that are too new."""
        told: list[Any] = []
        body = b"".join(self._application(environ, lambda *said: told.extend(said)))
        since = time.monotonic() - self.late

        def kept(match: re.Match[bytes]) -> bytes:
            return match[0] if self._written.get(match[1].decode(), 0) < since else b""

        body = _LISTED.sub(kept, body)
        headers = [(name, value) for name, value in told[1] if name.lower() != "content-length"]
        start_response(told[0], [*headers, ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def s3_server() -> Iterator[tuple[str, Faults]]:
    """Gives the address of a bucket, with `{}` where a key goes, and what makes its server fail."""
    moto = pytest.importorskip("moto.server")
    serving = pytest.importorskip("werkzeug.serving")
    faults = Faults(moto.DomainDispatcherApplication(moto.create_backend_app))
    # Where two write one object at once, moto may answer 500 and log it; clients repeat the request.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = serving.make_server("127.0.0.1", 0, faults, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    with _variables(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_EC2_METADATA_DISABLED="true"):  # noqa: S106
        client = fs.S3FileSystem(endpoint_override=place, scheme="http", region="us-east-1", allow_bucket_creation=True)
        client.create_dir("bucket")
        # What moto keeps outlives its server: each one has a prefix of its own.
        yield f"s3://bucket/{server.server_port}/{{}}?endpoint_override={place}&scheme=http&region=us-east-1", faults
    _opened.cache_clear()  # of images that are named by their address
    server.shutdown()
    server.server_close()


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def upload(address: str, folder: Path) -> None:
    """Puts the files of a folder into a storage."""
    target = Storage(address)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            copy = path.with_suffix(".copy")
            copy.write_bytes(path.read_bytes())
            target.put(path.relative_to(folder).as_posix(), copy)
            copy.unlink()


def put_raw(address: str, name: str, content: bytes) -> None:
    """Puts an object under a key that pyarrow refuses, such as one with `//`."""
    place, _, query = address.removeprefix("s3://").partition("?")
    endpoint = dict(part.split("=") for part in query.split("&"))["endpoint_override"]
    connection = HTTPConnection(endpoint)
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"}
    connection.request("PUT", f"/{place}/{name}", content, signed)
    assert connection.getresponse().status == 200
    connection.close()


def files_in(address: str) -> dict[str, bytes]:
    """Returns the bytes of the parts in a folder, here or in a storage, and of its manifest if there is one."""
    place = Storage(address)
    found = {}
    for entry in [*place.list(place.path, deep=True), place.entry(place.join("_manifest.jsonl"))]:
        if entry is not None:
            with place.open(entry) as stream:
                found[entry.path.removeprefix(f"{place.path}/")] = stream.readall()
    return found
