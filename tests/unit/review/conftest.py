"""Every test of the store runs on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.postgres import postgres_binaries, running_postgres

from crossguard.review.console import Console
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import people
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person

NOW = 1_800_000_000.0


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if postgres_binaries() is None:
        pytest.skip("no PostgreSQL here; install it with: apt-get install postgresql")
    with running_postgres() as (url, _):
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database.open(str(tmp_path / "review.sqlite"))
    else:
        opened = Database.open(request.getfixturevalue("postgres_url"))
    yield opened
    if request.param == "postgresql":
        with opened.write() as tx:
            tx.execute(text("DROP SCHEMA public CASCADE"))
            tx.execute(text("CREATE SCHEMA public"))
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
