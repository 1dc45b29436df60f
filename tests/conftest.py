"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
from PIL import Image
from tests.support.perspective_bundle import write_perspective_bundle
from tests.support.pictures import data_url, encoded
from tests.support.postgres import PostgresServer, postgres_binaries, running_postgres
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard import cli
from crossguard.bundle import Bundle
from crossguard.data import image_worker
from crossguard.moderator import Moderator

pytest_plugins = ["tests.support.crash_reports"]

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Where each core has a worker of the test run, threads of PyTorch wait for each other more than they work.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that reads real datasets, so that none is forgotten."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.data)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of these tests, so that nothing depends on earlier runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSGUARD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Takes back what a test has done to signals: PyTorch's loader handles those of ended processes for good."""
    before = {number: signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def until_exit() -> Iterator[None]:
    """Forgets the model that a command keeps: with it, the next `main` would end this process at once."""
    yield
    cli._kept.clear()


@pytest.fixture(autouse=True)
def image_workers() -> Iterator[None]:
    """Lets images be decoded again after a test that stopped the program, as far as the program is concerned."""
    yield
    image_worker._pool.closed = False


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets; absent on a user's machine, and then the test is skipped."""
    folder = Path(os.environ.get("CROSSGUARD_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of a few kilobytes; tests that change files copy its folder first."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_bundle: Bundle) -> Moderator:
    """A moderator over the tiny bundle."""
    return Moderator.load(tiny_bundle.folder)


@pytest.fixture(scope="session")
def attributed(tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderator]:
    """A moderator over a bundle with Perspective's attributes."""
    folder = tmp_path_factory.mktemp("attributed") / "bundle"
    with closing(Moderator.load(write_perspective_bundle(tiny_bundle, folder).folder)) as moderator:
        yield moderator


@pytest.fixture(scope="session")
def red() -> bytes:
    """A PNG."""
    return encoded(Image.new("RGB", (48, 40), (220, 20, 20)), "PNG")


@pytest.fixture(scope="session")
def blue() -> bytes:
    """Another PNG."""
    return encoded(Image.new("RGB", (48, 40), (20, 20, 220)), "PNG")


@pytest.fixture(scope="session")
def red_url(red: bytes) -> str:
    return data_url(red)


@pytest.fixture(scope="session")
def blue_url(blue: bytes) -> str:
    return data_url(blue)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own; who fills its database empties it afterwards."""
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL here; install it with: apt-get install postgresql")
    with running_postgres() as server:
        yield server
