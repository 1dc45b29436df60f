"""How often a login may fail."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from tests.unit.review.conftest import NOW

from crossguard.review.errors import TooManyAttemptsError
from crossguard.review.store import attempts
from crossguard.review.store.database import Database
from crossguard.review.store.schema import attempts as table


def test_guessing_is_slowed_down_per_name_and_address_and_forgotten(database: Database) -> None:
    with database.write() as tx:
        for _ in range(attempts.FAILURES):
            attempts.check(tx, "Ann", "1.2.3.4", NOW)
            attempts.note(tx, "ann ", "1.2.3.4", NOW)
        with pytest.raises(TooManyAttemptsError):
            attempts.check(tx, "Ann", "1.2.3.4", NOW)
        attempts.check(tx, "Ann", "5.6.7.8", NOW)
        attempts.check(tx, "Ben", "1.2.3.4", NOW)
        attempts.check(tx, "Ann", "1.2.3.4", NOW + attempts.WINDOW_S)


def test_a_stranger_at_many_addresses_is_slowed_down_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FAILURES_OF_NAME", 20)
    with database.write() as tx:
        for number in range(20):
            attempts.check(tx, "Ann", f"1.2.3.{number}", NOW)
            attempts.note(tx, "Ann", f"1.2.3.{number}", NOW)
        with pytest.raises(TooManyAttemptsError):
            attempts.check(tx, "Ann", "5.6.7.8", NOW)


def test_a_name_that_holds_an_address_counts_for_itself(database: Database) -> None:
    with database.write() as tx:
        for name in ("ann@1.2.3.4", "1.2.3.4 ann", " 1.2.3.4 ann"):
            for _ in range(attempts.FAILURES):
                attempts.note(tx, name, "5.6.7.8", NOW)
        attempts.check(tx, "Ann", "1.2.3.4", NOW)


def test_who_proved_to_be_who_they_are_does_not_wait(database: Database) -> None:
    with database.write() as tx:
        for _ in range(attempts.FAILURES):
            attempts.note(tx, "Ann", "1.2.3.4", NOW)
            attempts.note(tx, "Ben", "1.2.3.4", NOW)
        attempts.forget(tx, "ann", "1.2.3.4")
        attempts.check(tx, "Ann", "1.2.3.4", NOW)
        with pytest.raises(TooManyAttemptsError, match="ask an admin for a new link"):
            attempts.check(tx, "Ben", "1.2.3.4", NOW)


def test_neither_names_nor_addresses_are_stored_and_old_ones_not_kept(database: Database) -> None:
    with database.write() as tx:
        attempts.note(tx, "Ann", "1.2.3.4", NOW)
        keys = tx.execute(select(table.c.key)).scalars().all()
        assert {len(key) for key in keys} == {64}
        attempts.note(tx, "Ben", "1.2.3.4", NOW + attempts.WINDOW_S)
        assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 2
