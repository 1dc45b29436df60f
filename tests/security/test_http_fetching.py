"""Fetched images: how many one request or one minute can cause, and which addresses are never asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from tests.support.server import RunningServer
from tests.support.site import running_site

from crossguard.bundle import Bundle
from crossguard.serving.fetching import is_allowed

SPELLINGS_OF_METADATA = (
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "192.0.0.192",
    "::ffff:192.0.0.192",
    "64:ff9b::c000:c0",
    "168.63.129.16",
    "::ffff:168.63.129.16",
    "2002:a83f:8110::1",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fd00:42::42",
    "fe80::a9fe:a9fe%1",
    "::169.254.169.254",
    "ff02::1",
)


class Counting(BaseHTTPRequestHandler):
    """Counts what it is asked for, and how much of it at once."""

    asked = 0
    at_once = 0
    most = 0
    lock = threading.Lock()
    gate = threading.Event()

    def do_GET(self) -> None:
        with self.lock:
            Counting.asked += 1
            Counting.at_once += 1
            Counting.most = max(Counting.most, Counting.at_once)
        self.gate.wait(0.05)
        with self.lock:
            Counting.at_once -= 1
        self.send_error(404)


@pytest.fixture
def origin() -> Iterator[str]:
    Counting.asked = Counting.most = 0
    with running_site(Counting) as address:
        yield address


@pytest.mark.parametrize("address", SPELLINGS_OF_METADATA)
@pytest.mark.parametrize("private", [False, True])
def test_cloud_metadata_is_never_reached(address: str, *, private: bool) -> None:
    assert not is_allowed(address, private=private)


def test_one_request_causes_few_fetches(tiny_bundle: Bundle, origin: str) -> None:
    settings: dict[str, Any] = {"fetch_origins": origin, "fetch_private": "true", "fetch_max": 16}
    with RunningServer(tiny_bundle.folder, drain_s=0, **settings) as server, server.client() as client:
        posts = [{"images": [f"{origin}/{post}-{image}.png" for image in range(8)]} for post in range(100)]
        answer = client.post("/v1/score/batch", json={"posts": posts})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_fetches")
        lines = b"\n".join(b'{"image_url": "%b/%d.png"}' % (origin.encode(), line) for line in range(1000))
        refused = client.post("/invocations", content=lines, headers={"content-type": "application/jsonlines"})
        assert refused.status_code == 413
        assert Counting.asked == 0
        assert client.post("/v1/score/batch", json={"posts": posts[:2]}).status_code == 200
        assert 1 <= Counting.asked <= 16
        assert Counting.most <= 4


def test_an_origin_is_asked_so_often_in_a_minute_and_no_more(tiny_bundle: Bundle, origin: str) -> None:
    settings: dict[str, Any] = {"fetch_origins": origin, "fetch_private": "true", "fetch_per_minute": 10}
    with RunningServer(tiny_bundle.folder, drain_s=0, **settings) as server, server.client() as client:
        for number in range(30):
            answer = client.post("/v1/score", json={"image": f"{origin}/{number}.png"})
            assert answer.json()["error"]["code"] == "image_fetch_failed"
    assert Counting.asked == 10
