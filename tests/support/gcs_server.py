"""A Google Cloud Storage on this machine (gcp-storage-emulator), in a process of its own.

pyarrow's client holds the interpreter while it waits for some answers, which a server in the same process would never
give.

python -m tests.support.gcs_server [EVERY]    each so-manieth request is answered with 503; prints the port
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from crossguard.data.storage import _opened


@contextmanager
def gcs_server(every: int = 0) -> Iterator[str]:
    """Gives the address of a bucket, with `{}` where a name goes."""
    pytest.importorskip("gcp_storage_emulator")
    command = [sys.executable, "-m", "tests.support.gcs_server", str(every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the emulator did not start"
        try:
            yield f"gs://anonymous@bucket/{{}}?endpoint_override=127.0.0.1:{port}&scheme=http"
        finally:
            _opened.cache_clear()  # of images that are named by their address
            process.kill()


def main() -> None:
    """Serves until it is killed."""
    from gcp_storage_emulator import server

    every, seen, handle = int(sys.argv[1]), itertools.count(1), server.Router.handle

    def faulty(router: Any, method: str) -> None:
        if every and method != "PUT" and next(seen) % every == 0:  # the emulator loses count of an upload
            handler = router._request_handler
            handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            handler.send_response(HTTPStatus.SERVICE_UNAVAILABLE)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            handle(router, method)

    server.Router.handle = faulty
    running = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    running.start()
    sys.stdout.write(f"{running._api._httpd.server_port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
