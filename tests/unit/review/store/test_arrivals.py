"""Items are stored once, and reports add up."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review.console import Console
from crossguard.review.store import items, retention
from crossguard.review.store.arrivals import REPORT_URGENCY_H
from crossguard.review.store.database import Database
from crossguard.review.store.schema import items as table
from crossguard.review.store.schema import reports


def test_what_a_source_sent_before_stays_as_it_was(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "first words"), submission("2")], NOW)
    console.intake.take([submission("1", "first words", queue="escalated"), submission("3")], NOW + 1)
    with database.read() as db:
        assert db.execute(select(table.c.external).order_by(table.c.id)).scalars().all() == ["1", "2", "3"]
        found = items.get(db, 1)
    assert (found.text, found.queue, found.received_at) == ("first words", "main", NOW)


def test_a_report_of_another_person_makes_an_item_more_urgent(console: Console, database: Database) -> None:
    for reporter in ("x", "y", "x"):
        console.intake.take([submission("1", report={"reporter": reporter, "reason": "rude"})], NOW)
    with database.read() as db:
        row = items.get(db, 1)
        assert [report.reporter for report in items.reports_of(db, row)] == ["x", "y"]
    assert row.reports == 2
    console.intake.take([submission("2", report={"reporter": "z", "reason": "rude"})], NOW)
    with database.read() as db:
        once = db.execute(select(table.c.urgency).where(table.c.external == "2")).scalar_one()
    assert row.urgency == pytest.approx(once + REPORT_URGENCY_H)


def test_a_report_on_what_is_erased_leaves_no_words(console: Console, database: Database) -> None:
    console.intake.take([submission("1", author="a", report={"reporter": "r", "reason": "rude"})], NOW)
    with database.write() as tx:
        retention.erase_author(tx, "a", NOW)
    console.intake.take([submission("1", author="a", report={"reporter": "s", "reason": "he is John"})], NOW)
    with database.read() as db:
        assert db.execute(select(reports.c.reason)).scalars().all() == ["", ""]
