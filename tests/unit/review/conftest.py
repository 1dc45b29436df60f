"""Every test of the store runs on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossguard.review.console import Console
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import people
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person

NOW = 1_800_000_000.0


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if engine == "postgresql":
        with request.getfixturevalue("postgres").database() as opened:
            yield opened
    else:
        opened = Database.open(str(tmp_path / "review.sqlite"))
        yield opened
        opened.close()


@pytest.fixture
def settings() -> ReviewSettings:
    return ReviewSettings(model="none", second_vote_rate=0, gold_rate=0, audit_rate=0, audit_rate_near=0)


@pytest.fixture
def console(database: Database, settings: ReviewSettings) -> Console:
    return Console(settings, database)


@pytest.fixture
def ann(database: Database) -> Person:
    return person(database, "Ann")


@pytest.fixture
def ben(database: Database) -> Person:
    return person(database, "Ben")


@pytest.fixture
def cid(database: Database) -> Person:
    return person(database, "Cid")


def person(database: Database, name: str, role: Role = Role.REVIEWER) -> Person:
    with database.write() as tx:
        return people.add(tx, name, role, NOW)
