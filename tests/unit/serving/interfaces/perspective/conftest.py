"""A client of a model with Perspective's attributes."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.support.serving import client_of, service_of

from crossguard.moderator import Moderator


@pytest.fixture(scope="session")
def perspective(attributed: Moderator) -> TestClient:
    return client_of(service_of(attributed))
