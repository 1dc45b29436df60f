"""Names, sessions and one-time links."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select
from tests.unit.review.conftest import NOW, person

from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.roles import Right, Role
from crossguard.review.store import people
from crossguard.review.store.database import Database
from crossguard.review.store.schema import log


def test_a_name_belongs_to_one_person_whatever_its_case(database: Database) -> None:
    person(database, "Ann")
    for name, said in (
        ("aNN ", "is taken"),
        ("Command line", "is taken"),
        ("", "1 to 64"),
        ("x" * 65, "1 to 64"),
        ("a\u202eb", "printable"),
    ):
        with database.write() as tx, pytest.raises(ReviewError, match=said):
            people.add(tx, name, Role.REVIEWER, NOW)
    with database.read() as db, pytest.raises(NotFoundError, match="Did you mean 'Ann'"):
        people.by_name(db, "Anna")


def test_whom_a_provider_knows_never_gets_the_account_of_another(database: Database) -> None:
    person(database, "Ann")
    with database.write() as tx:
        first = people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW)
        again = people.by_subject(tx, "key-1", "Ann", Role.LEAD, NOW)
        others = people.by_subject(tx, "another key-1", "command line", Role.REVIEWER, NOW)
        joined = tx.execute(select(log.c.actor, log.c.detail).where(log.c.act == "join")).all()
    assert [tuple(entry) for entry in joined] == [("Ann 2", {"role": "reviewer"}), (others.name, {"role": "reviewer"})]
    assert (first.name, others.name) == ("Ann 2", "command line 2"), "the log calls the terminal so"
    assert (again.id, again.role) == (first.id, Role.LEAD)


def test_a_session_ends_in_time_and_with_the_account(database: Database) -> None:
    ann = person(database, "Ann")
    with database.write() as tx:
        token = people.start_session(tx, ann.id, NOW, 60)
    with database.read() as db:
        found = people.session_of(db, token, NOW + 59)
        assert found is not None
        assert found.person == ann
        assert people.session_of(db, token, NOW + 60) is None
        assert people.session_of(db, "another", NOW) is None
    with database.write() as tx:
        people.change(tx, ann.id, active=False)
    with database.read() as db:
        assert people.session_of(db, token, NOW) is None


def test_a_link_works_once_and_for_a_week(database: Database) -> None:
    with database.write() as tx:
        token, late = (people.invite(tx, Role.LEAD, NOW) for _ in range(2))
        assert people.invitation(tx, token, NOW).role == "lead"
        people.use_invitation(tx, token, NOW)
        for used, now in ((token, NOW), (late, NOW + people.INVITATION_S)):
            with pytest.raises(NotFoundError, match="was used, or has ended"):
                people.invitation(tx, used, now)


@pytest.mark.parametrize("changed", [{"active": False}, {"password": "hash"}])
def test_links_for_somebody_end_when_they_leave_or_have_a_new_password(
    database: Database, changed: dict[str, Any]
) -> None:
    ann = person(database, "Ann")
    with database.write() as tx:
        before, others = people.invite(tx, ann.role, NOW, " ann"), people.invite(tx, Role.LEAD, NOW)
        people.change(tx, ann.id, **changed)
        with pytest.raises(NotFoundError, match="was used, or has ended"):
            people.invitation(tx, before, NOW)
        assert people.invitation(tx, others, NOW).role == "lead"
        assert people.invitation(tx, people.invite(tx, ann.role, NOW, "Ann"), NOW).name == "Ann", (
            "whom an admin asks back"
        )


@pytest.mark.parametrize("changed", [{"active": False}, {"role": "reviewer"}])
def test_an_admin_who_leaves_cannot_come_back_by_a_link_that_they_kept(
    database: Database, changed: dict[str, Any]
) -> None:
    ann, ben = person(database, "Ann", Role.ADMIN), person(database, "Ben", Role.ADMIN)
    with database.write() as tx:
        kept = people.invite(tx, Role.ADMIN, NOW)
        people.change(tx, ben.id, role="admin", active=True)
        assert people.invitation(tx, kept, NOW).role == "admin"
        people.change(tx, ann.id, **changed)
        with pytest.raises(NotFoundError, match="was used, or has ended"):
            people.invitation(tx, kept, NOW)


def test_links_for_the_first_admin_end_when_there_is_one(database: Database) -> None:
    with database.write() as tx:
        first, lead = people.invite(tx, Role.ADMIN, NOW), people.invite(tx, Role.LEAD, NOW)
        people.add(tx, "Ann", Role.ADMIN, NOW)
        with pytest.raises(NotFoundError, match="was used, or has ended"):
            people.invitation(tx, first, NOW)
        second = people.invite(tx, Role.ADMIN, NOW)
        people.add(tx, "Ben", Role.ADMIN, NOW)
        assert [people.invitation(tx, token, NOW).role for token in (lead, second)] == ["lead", "admin"]


def test_a_person_sees_their_queues_and_may_what_their_role_may(database: Database) -> None:
    ann = person(database, "Ann", Role.LEAD)
    with database.write() as tx:
        people.change(tx, ann.id, queues=["main"])
    with database.read() as db:
        (found,) = people.everybody(db)
    assert (found.sees("main"), found.sees("appeals")) == (True, False)
    assert (found.may(Right.MEASURE), found.may(Right.ADMINISTER)) == (True, False)


@pytest.fixture
def plain(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of PostgreSQL in the locale C."""
    postgres = request.getfixturevalue("postgres")
    with postgres.database() as db, db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE plain LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        opened = Database.open(postgres.url.replace("/postgres?", "/plain?"))
        yield opened
        opened.close()
        connection.exec_driver_sql("DROP DATABASE plain")


def find_again(database: Database) -> None:
    for name in ("Élise", "Łukasz", "Анна"):
        person(database, name)
        with database.read() as db:
            assert {people.by_name(db, form)[0].name for form in (name, name.lower(), name.upper())} == {name}
        with database.write() as tx, pytest.raises(ReviewError, match="is taken"):
            people.add(tx, name.lower(), Role.REVIEWER, NOW)


def test_a_name_with_other_capitals_than_ascii_is_found_again(database: Database) -> None:
    """SQLite's lower() knows a to z; whoever is called Élise could never log in again."""
    find_again(database)


def test_it_is_found_again_in_the_locale_c(plain: Database) -> None:
    find_again(plain)


def test_a_role_that_an_admin_gave_stays_where_the_provider_says_none(database: Database) -> None:
    with database.write() as tx:
        first = people.by_subject(tx, "key-1", "Ann", None, NOW)
        people.change(tx, first.id, role=Role.ADMIN.value)
        assert people.by_subject(tx, "key-1", "Ann", None, NOW).role is Role.ADMIN
        assert people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW).role is Role.REVIEWER
        assert [(entry.act, entry.detail) for entry in tx.execute(select(log))] == [
            ("join", {"role": "reviewer"}),
            ("change role", {"role": "reviewer", "before": "admin"}),
        ]


@pytest.mark.parametrize("engine", ["postgresql"])
def test_two_who_join_at_once_do_not_have_the_same_name(database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.write() as tx:
            people.add(tx, "Ann", Role.REVIEWER, NOW)
            other = pool.submit(person, database, "ann")
            with suppress(TimeoutError):
                other.result(0.5)
        with pytest.raises(ReviewError, match="taken"):
            other.result()
