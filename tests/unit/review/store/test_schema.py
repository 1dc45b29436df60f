"""Names and rules of the tables that other code and other databases rest on."""

from __future__ import annotations

import pytest
from sqlalchemy import Boolean, Double, insert
from sqlalchemy.exc import IntegrityError
from tests.support.review import submission
from tests.unit.review.conftest import NOW, person

from crossguard.review.console import Console
from crossguard.review.store.database import Database
from crossguard.review.store.schema import metadata, votes


def test_every_index_and_rule_has_a_name_of_its_own() -> None:
    tables = metadata.tables.values()
    indexes = [index.name for table in tables for index in table.indexes]
    rules = [rule.name for table in tables for rule in table.constraints]
    names = [str(name) for name in (*indexes, *rules) if name]
    assert len(set(names)) == len(names)
    # PostgreSQL would cut longer names, and a migration would not find them.
    assert max(map(len, names)) < 64


def test_times_have_fractions_of_a_second_and_flags_are_flags() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name == "at" or column.name.endswith("_at"):
                assert isinstance(column.type, Double), f"{table.name}.{column.name}"
            if column.name in {"active", "blind", "hateful"} or column.name.startswith("show_"):
                assert isinstance(column.type, Boolean), f"{table.name}.{column.name}"


def test_a_person_has_one_answer_that_stands_per_item(console: Console, database: Database) -> None:
    console.intake.take([submission("1")], NOW)
    ann = person(database, "Ann")
    vote = {
        "item": 1,
        "person": ann.id,
        "kind": "vote",
        "queue": "main",
        "labels": {},
        "claimed_at": NOW,
        "decided_at": NOW,
    }
    with database.write() as tx:
        tx.execute(insert(votes), {**vote, "submission": "a", "undone_at": NOW})
        tx.execute(insert(votes), {**vote, "submission": "b"})
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.execute(insert(votes), {**vote, "submission": "c"})
    # What comes from outside is nobody's here, and may come often.
    with database.write() as tx:
        for name in ("d", "e"):
            tx.execute(insert(votes), {**vote, "person": None, "kind": "suggest", "submission": name})
