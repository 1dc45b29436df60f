"""A client of the application itself: no process and no socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.bundle import Bundle
from crossguard.moderator import Moderator
from crossguard.serving.service import Service


@pytest.fixture(scope="session")
def served_model(tiny_bundle: Bundle) -> Iterator[Moderator]:
    """The tiny model as services here have it; they say what they observe to their own metrics."""
    with closing(Moderator.load(tiny_bundle.folder)) as moderator:
        yield moderator


@pytest.fixture
def service(served_model: Moderator) -> Service:
    """One of the test's own."""
    return service_of(served_model)


@pytest.fixture(scope="session")
def client(served_model: Moderator) -> TestClient:
    """Of a service that many tests share."""
    return client_of(service_of(served_model))
