"""One server that most tests share, and images to send to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import httpx2
import pytest
from PIL import Image
from tests.support.perspective_bundle import write_perspective_bundle
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.moderator import Moderator


@pytest.fixture(scope="session")
def server(tiny_bundle: Bundle) -> Iterator[RunningServer]:
    with RunningServer(tiny_bundle.folder, drain_s=0) as running:
        yield running


@pytest.fixture(scope="session")
def attributed(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Moderator:
    folder = tmp_path_factory.mktemp("attributed") / "bundle"
    return Moderator.load(write_perspective_bundle(tiny_bundle, folder).folder)


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx2.Client]:
    with server.client() as http:
        yield http


@pytest.fixture(scope="session")
def red() -> bytes:
    """A PNG."""
    return _png((220, 20, 20))


@pytest.fixture(scope="session")
def blue() -> bytes:
    """Another PNG."""
    return _png((20, 20, 220))


@pytest.fixture(scope="session")
def red_url(red: bytes) -> str:
    return data_url(red)


@pytest.fixture(scope="session")
def blue_url(blue: bytes) -> str:
    return data_url(blue)


def data_url(encoded: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(encoded).decode()


def _png(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 40), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bomb_url() -> str:
    """A PNG of a hundred million pixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG", optimize=True)
    return data_url(buffer.getvalue())
