"""Every test of the store runs on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection
from tests.support.review import submission

from crossguard.labels import HATE
from crossguard.review.console import Console
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, items, people, retention, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import HOUR

NOW = 1_800_000_000.0
LEASE = 600.0
BLOCK = Ballot({"racist": Answer.YES}, "block")
ALLOW = Ballot({"racist": Answer.NO}, "allow")


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


@pytest.fixture
def everything(settings: ReviewSettings) -> ReviewSettings:
    return settings.model_copy(update={"audit_rate": 1.0, "audit_rate_near": 1.0})


def decide_all(console: Console, posts: int = 200, hateful_from: float = 0.6) -> None:
    """Posts with even scores; a person finds those hateful that score at least `hateful_from`, with a little noise."""
    chance = np.random.default_rng(1)
    scores = [(index + 0.5) / posts for index in range(posts)]
    console.intake.take([submission(str(i), f"words {i:b}", score=score) for i, score in enumerate(scores)], NOW)
    ann = person(console.database, "Ann")
    with console.database.write() as tx:
        for item in range(1, posts + 1):
            assert claims.claim(tx, item, ann.id, NOW, 600)
            hateful = (scores[item - 1] >= hateful_from) != (chance.random() < 0.05)
            answers = dict.fromkeys(HATE.names, Answer.NO) | {"racist": Answer.YES if hateful else Answer.NO}
            ballot = Ballot(answers, "block" if hateful else "allow")
            votes.cast(tx, item, ann, ballot, submission=f"s{item}", now=NOW)


def take(database: Database, who: Person, queue: str = "main", now: float = NOW) -> int | None:
    with database.write() as tx:
        return claims.claim_next(tx, who.id, queue, now, LEASE)


def cast(database: Database, item: int, who: Person, ballot: Ballot = BLOCK, now: float = NOW) -> None:
    with database.write() as tx:
        votes.cast(tx, item, who, ballot, submission=f"{item}x{who.id}", now=now)


def undo(database: Database, item: int, who: Person, now: float = NOW) -> list[int]:
    """Takes back what `cast` recorded."""
    with database.write() as tx:
        return votes.undo(tx, f"{item}x{who.id}", who, now, HOUR)


def erase(database: Database, author: str) -> int:
    with database.write() as tx:
        return retention.erase_author(tx, author, NOW)


def decide_one(console: Console, who: Person, text: str = "", ballot: Ballot = BLOCK, **more: Any) -> None:
    """A post, item 1, that somebody claims and decides."""
    console.intake.take([submission("1", text, **more)], NOW)
    assert take(console.database, who) == 1
    cast(console.database, 1, who, ballot)


def copy_golden(tx: Connection, item: int, **more: Any) -> int:
    """A golden item of the post of another one, whatever was decided about it."""
    return items.copy(tx, items.get(tx, item), kind="gold", queue="main", state="gold", received_at=NOW, **more)


def row(database: Database, item: int) -> Any:
    with database.read() as db:
        return items.get(db, item)
