"""People who log in without a browser."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient
from tests.unit.review.conftest import NOW

from crossguard.review import passwords
from crossguard.review.console import Console
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.store import people

PASSWORD = "correct horse"  # noqa: S105 - of the people in these tests


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


ON_BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says `ON_BOTH`."""
    return "sqlite"


@pytest.fixture
def client(console: Console) -> TestClient:
    return TestClient(create_app(console), base_url="http://testserver", raise_server_exceptions=False)


def log_in(client: TestClient, console: Console, name: str = "Ann", role: Role = Role.REVIEWER) -> str:
    """Logs in as somebody new and returns their token for forms."""
    with console.database.write() as tx:
        people.add(tx, name, role, NOW, password=passwords.hash_password(PASSWORD, ""))
    answer = client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 200
    return csrf_of(answer.text)


def limit(console: Console, *queues: str) -> None:
    """Lets Ann work in these queues alone."""
    with console.database.write() as tx:
        people.change(tx, people.by_name(tx, "Ann")[0].id, queues=list(queues))


def csrf_of(page: str) -> str:
    found = re.search(r'<meta name="csrf" content="([^"]+)"', page)
    assert found is not None
    return found[1]
