"""What comes in: sampled, checked, counted, cleaned."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from tests.support.review import decision, submission
from tests.unit.review.conftest import NOW, cast, take

from crossguard.errors import InputError
from crossguard.review.console import Console
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import items
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import feed
from crossguard.review.store.schema import items as table
from crossguard.review.submissions import Submission


def test_allowed_posts_are_sampled_and_all_are_counted(database: Database, settings: ReviewSettings) -> None:
    console = Console(settings.model_copy(update={"audit_rate": 0.2}), database)
    posts = [submission(str(index), score=0.02) for index in range(500)] + [submission("f0", score=0.95)]
    received = console.intake.take(posts, NOW)
    assert 60 < received.taken - 1 < 140
    assert received.taken + received.passed == 501
    with database.read() as db:
        counted = {row.stratum: row.posts for row in db.execute(select(feed))}
        audited = db.execute(select(table).where(table.c.kind == "audit")).all()
    assert counted == {"allow-far": 500, "block": 1}
    assert {(row.queue, row.inclusion, row.blind) for row in audited} == {("main", 0.2, True)}


def test_a_queue_says_where_items_go_and_nothing_else(database: Database, settings: ReviewSettings) -> None:
    """A team with a queue per language had every allowed post before it, and no figures on *Quality*."""
    console = Console(settings.model_copy(update={"audit_rate": 0.2, "queues": ("de",)}), database)
    posts = [submission(str(index), score=0.02, queue="de") for index in range(500)]
    received = console.intake.take([*posts, submission("f0", score=0.95, queue="de")], NOW)
    assert 60 < received.taken - 1 < 140
    with database.read() as db:
        counted = {row.stratum: row.posts for row in db.execute(select(feed))}
        stored = db.execute(select(table.c.queue, table.c.kind, table.c.stratum, table.c.inclusion).distinct()).all()
    assert counted == {"allow-far": 500, "block": 1}
    assert sorted(map(tuple, stored)) == [("de", "audit", "allow-far", 0.2), ("de", "flag", "block", 1.0)]


@pytest.mark.parametrize(
    "asked",
    [
        {"report": {"reporter": "x"}},
        {"suggestion": {"by": "x", "scores": {"TOXICITY": 0.9}}},
        {"expected": {"action": "allow"}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_somebody_asks_for_is_taken_whatever_the_model_says(
    console: Console, database: Database, asked: dict[str, Any]
) -> None:
    assert console.intake.take([submission("1", score=0.02, queue="escalated", **asked)], NOW).taken == 1
    with database.read() as db:
        assert db.execute(select(feed)).all() == []
        assert (items.get(db, 1).stratum, items.get(db, 1).inclusion) == ("routed", 1.0)


def test_the_place_of_a_post_that_is_judged_blind_does_not_tell_what_the_model_said(
    everything: ReviewSettings, database: Database
) -> None:
    intake = Console(everything.model_copy(update={"second_vote_rate": 1.0}), database).intake
    rows = [intake._item(*intake._check(submission("1", score=score)), NOW).row for score in (0.02, 0.5, 0.7, 0.97)]
    assert {row["blind"] for row in rows} == {True}
    for order in ("urgency", "uncertainty", "shuffle"):
        assert len({row[order] for row in rows}) == 1, order


def test_nothing_in_the_record_tells_an_erased_text(console: Console, database: Database) -> None:
    """By a digest, whoever guesses it would know that they are right; programs merge a post and its decision."""
    record = decision("1")
    more = {"digest": "11bf3eaea9028658", "input": {"text": "secret"}, "text": "secret"}
    console.intake.take([submission("1", decision=record | more)], NOW)
    with database.read() as db:
        assert items.get(db, 1).decision == {name: value for name, value in record.items() if name not in more}


def test_the_same_post_twice_is_one_item(console: Console) -> None:
    assert console.intake.take([submission("1"), submission("2")], NOW).taken == 2
    again = console.intake.take([submission("1"), submission("3")], NOW)
    assert (again.taken, again.known) == (1, 1)


def test_posts_that_came_before_are_counted_once(console: Console, database: Database) -> None:
    posts = [submission(str(number), score=0.7 if number < 2 else 0.02) for number in range(5)]
    for batch in (posts, posts, [*posts, submission("9")], posts[:1]):
        console.intake.take(batch, NOW)
    with database.read() as db:
        counted = {row.stratum: row.posts for row in db.execute(select(feed))}
    assert counted == {"review": 3, "allow-far": 3}


def test_a_post_is_one_item_though_another_policy_says_otherwise(
    everything: ReviewSettings, database: Database
) -> None:
    intake = Console(everything, database).intake
    assert intake.take([submission("1", score=0.02), submission("2", score=0.7)], NOW).taken == 2
    again = intake.take([submission("1", score=0.7), submission("2", score=0.02), submission("2", score=0.9)], NOW)
    assert (again.taken, again.known, again.edited) == (0, 3, [])


def test_an_edited_post_is_judged_again(console: Console, database: Database, ann: Person) -> None:
    """Else whoever was allowed once could write what they like afterwards."""
    console.intake.take([submission("1", "a"), submission("2", "b")], NOW)
    without = submission("2").model_copy(update={"text": ""})  # as of a report that names the post only
    assert take(database, ann) == 1
    cast(database, 1, ann)
    again = console.intake.take([submission("1", "other words"), submission("2", "b"), without], NOW)
    assert (again.taken, again.known, again.edited) == (1, 2, ["1"])
    assert again.to_dict()["edited"] == ["1"]
    with database.read() as db:
        rows = db.execute(select(table.c.external, table.c.text, table.c.state).order_by(table.c.id)).all()
    assert [tuple(row) for row in rows] == [("1#1", "a", "decided"), ("2", "b", "open"), ("1", "other words", "open")]
    assert console.intake.take([submission("1", "other words")], NOW).known == 1
    assert console.intake.take([submission("1", "a")], NOW).taken == 1, "edited back"


def test_versions_of_a_post_in_one_batch_are_all_judged(console: Console, database: Database) -> None:
    """As where the column id holds the number of a thread."""
    report = {"reporter": "x", "reason": "rude"}
    posts = [submission("1", words) for words in ("a", "b", "a", "a", "c")] + [submission("1", "c", report=report)]
    received = console.intake.take(posts, NOW)
    assert (received.taken, received.known, received.edited) == (4, 2, ["1", "1"])
    with database.read() as db:
        rows = db.execute(select(table.c.kind, table.c.text).order_by(table.c.id)).all()
    assert sorted(map(tuple, rows)) == [("flag", "a"), ("flag", "b"), ("flag", "c"), ("report", "c")]


def test_reports_are_kept_apart_from_flags_and_add_up(console: Console, database: Database) -> None:
    posts = [submission("1"), *(submission("1", report={"reporter": who, "reason": "rude"}) for who in ("x", "y", "x"))]
    console.intake.take(posts, NOW)
    with database.read() as db:
        rows = db.execute(select(table.c.kind, table.c.reports).order_by(table.c.id)).all()
        assert [tuple(row) for row in rows] == [("flag", 0), ("report", 2)]
        assert len(items.reports_of(db, items.get(db, 2))) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"decision": {"nonsense": 1}}, "not a record"),
        ({"queue": "mian"}, "Did you mean 'main'"),
        ({"expected": {"action": "block", "labels": {"rasist": "yes"}}}, "Did you mean 'racist'"),
        ({"expected": {"action": "blok"}}, "Did you mean 'block'"),
    ],
)
def test_a_wrong_post_is_told_and_nothing_of_the_batch_is_stored(
    console: Console, database: Database, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        console.intake.take([submission("1"), submission("2", **fields)], NOW)
    with database.read() as db:
        assert db.execute(select(func.count()).select_from(table)).scalar_one() == 0


def test_a_post_that_could_not_be_scored_is_an_item_without_scores(console: Console, database: Database) -> None:
    console.intake.take([Submission(id="1", text="hello\0there")], NOW)
    with database.read() as db:
        row = items.get(db, 1)
    assert (row.score, row.action, row.text) == (None, None, "hellothere")
    assert decision("x")["labels"]["racist"]["score"] == 0.7


def test_a_character_that_no_database_holds_costs_nothing_else(console: Console, database: Database) -> None:
    odd: dict[str, Any] = {"author": "x\0y", "language": "e\0n", "report": {"reporter": "r\0", "reason": "ru\0de"}}
    received = console.intake.take([submission("1"), submission("2\0b", "te\0xt", **odd), submission("3")], NOW)
    assert received.taken == 3
    with database.read() as db:
        found = db.execute(select(table.c.external, table.c.author).order_by(table.c.id)).all()
    assert found == [("1", None), ("2b", "xy"), ("3", None)]
