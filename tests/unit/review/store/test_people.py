"""Names, sessions and one-time links."""

from __future__ import annotations

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
    for name, said in (("aNN ", "is taken"), ("", "1 to 64"), ("x" * 65, "1 to 64"), ("a\u202eb", "printable")):
        with database.write() as tx, pytest.raises(ReviewError, match=said):
            people.add(tx, name, Role.REVIEWER, NOW)
    with database.read() as db, pytest.raises(NotFoundError, match="Did you mean 'Ann'"):
        people.by_name(db, "Anna")


def test_whom_a_provider_knows_never_gets_the_account_of_another(database: Database) -> None:
    person(database, "Ann")
    with database.write() as tx:
        first = people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW)
        again = people.by_subject(tx, "key-1", "Ann", Role.LEAD, NOW)
    assert first.name == "Ann 2"
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


def test_the_links_of_somebody_who_left_end(database: Database) -> None:
    ann = person(database, "Ann")
    with database.write() as tx:
        before, others = people.invite(tx, ann.role, NOW, "Ann"), people.invite(tx, Role.LEAD, NOW)
        people.change(tx, ann.id, active=False)
        with pytest.raises(NotFoundError):
            people.invitation(tx, before, NOW)
        assert people.invitation(tx, others, NOW).role == "lead"
        assert people.invitation(tx, people.invite(tx, ann.role, NOW, "Ann"), NOW).name == "Ann", (
            "whom an admin asks back"
        )


def test_a_person_sees_their_queues_and_may_what_their_role_may(database: Database) -> None:
    ann = person(database, "Ann", Role.LEAD)
    with database.write() as tx:
        people.change(tx, ann.id, queues=["main"])
    with database.read() as db:
        (found,) = people.everybody(db)
    assert (found.sees("main"), found.sees("appeals")) == (True, False)
    assert (found.may(Right.MEASURE), found.may(Right.ADMINISTER)) == (True, False)


def test_a_name_with_other_capitals_than_ascii_is_found_again(database: Database) -> None:
    """SQLite's own lower() knows a to z; whoever is called Élise could never log in again."""
    for name in ("Élise", "Łukasz", "Анна"):
        person(database, name)
        with database.read() as db:
            assert {people.by_name(db, form)[0].name for form in (name, name.lower(), name.upper())} == {name}
        with database.write() as tx, pytest.raises(ReviewError, match="is taken"):
            people.add(tx, name.lower(), Role.REVIEWER, NOW)


def test_a_role_that_an_admin_gave_stays_where_the_provider_says_none(database: Database) -> None:
    with database.write() as tx:
        first = people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW, ruled=False)
        people.change(tx, first.id, role=Role.ADMIN.value)
        assert people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW, ruled=False).role is Role.ADMIN
        assert people.by_subject(tx, "key-1", "Ann", Role.REVIEWER, NOW).role is Role.REVIEWER
        assert [(entry.act, entry.detail) for entry in tx.execute(select(log))] == [
            ("change role", {"role": "reviewer", "before": "admin"})
        ]
