"""The audit log: added to, read, never changed."""

from __future__ import annotations

import pytest
from sqlalchemy import Executable, insert, update
from sqlalchemy.exc import DBAPIError
from tests.unit.review.conftest import NOW

from crossguard.review.store import log
from crossguard.review.store.database import Database
from crossguard.review.store.schema import log as table


def test_the_log_can_only_be_added_to(database: Database) -> None:
    with database.write() as tx:
        log.record(tx, NOW, "Ann", "decide", 1)
    replaced = {"id": 1, "at": NOW, "actor": "Ben", "act": "decide", "detail": {}}
    statements: list[Executable] = [update(table).values(actor="Ben"), table.delete()]
    if database.engine.dialect.name == "sqlite":
        statements.append(insert(table).prefix_with("OR REPLACE").values(**replaced))
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"), database.write() as tx:
            tx.execute(statement)
    with database.read() as db:
        assert [entry.actor for entry in log.entries(db)] == ["Ann"]


def test_acts_come_newest_first_of_one_item_or_of_all(database: Database) -> None:
    with database.write() as tx:
        for number in range(102):
            log.record(tx, NOW + number, "Ann", "decide", number % 2, place=number)
    with database.read() as db:
        first = log.entries(db)
        assert [entry.detail["place"] for entry in first] == list(range(101, 1, -1)), "a hundred on a page"
        assert [entry.detail["place"] for entry in log.entries(db, before=first[-1].id)] == [1, 0]
        assert {entry.item for entry in log.entries(db, item=1)} == {1}
