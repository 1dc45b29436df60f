"""One server that most tests share, and an image to send to it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from PIL import Image
from tests.support.pictures import data_url, encoded
from tests.support.server import RunningServer

from crossguard.bundle import Bundle


@pytest.fixture(scope="session")
def server(tiny_bundle: Bundle) -> Iterator[RunningServer]:
    with RunningServer(tiny_bundle.folder, drain_s=0) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx2.Client]:
    with server.client() as http:
        yield http


@pytest.fixture(scope="session")
def bomb_url() -> str:
    """A PNG of a hundred million pixels in a few kilobytes."""
    return data_url(encoded(Image.new("1", (10_000, 10_000)), "PNG", optimize=True))
