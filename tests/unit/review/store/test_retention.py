"""What is left of an item when its content is deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from tests.support.decisions import failed
from tests.support.review import submission
from tests.unit.review.conftest import BLOCK, NOW, copy_golden, erase, row

from crossguard.review.console import Console
from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.store import claims, retention, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import DAY, counted, items, likenesses, reports
from crossguard.review.submissions import Submission


@pytest.fixture(autouse=True)
def decided(console: Console, database: Database, ann: Person) -> None:
    """Item 1 is decided, item 2 waits; both are by one author."""
    report = {"reporter": "somebody", "reason": "the reason"}
    console.intake.take([submission("1", author="a", report=report), submission("2", author="a")], NOW)
    ballot = Ballot({"racist": Answer.YES}, "block", "", "the comment")
    with database.write() as tx:
        assert claims.claim(tx, 1, ann.id, NOW, 600)
        votes.cast(tx, 1, ann, ballot, submission="s", now=NOW)


def test_decided_items_lose_their_content_in_time_and_keep_their_decision(database: Database) -> None:
    with database.write() as tx:
        assert retention.expire(tx, NOW + 7 * DAY, 7) == 0
        assert retention.expire(tx, NOW + 7 * DAY + 1, 7) == 1
        assert retention.expire(tx, NOW + 7 * DAY + 2, 7) == 0
    one, two = row(database, 1), row(database, 2)
    assert (one.text, one.likeness, one.author, one.outcome["action"]) == ("", None, "a", "block")
    assert one.erased_at is not None
    assert (two.text != "", two.erased_at) == (True, None)
    with database.read() as db:
        (vote,) = votes.standing(db, 1)
        assert (vote.action, vote.comment) == ("block", "")
        assert db.execute(select(reports.c.reason)).scalar_one() == ""
        assert db.execute(select(likenesses.c.item).distinct()).scalars().all() == [2]


def test_of_why_an_erased_post_was_not_scored_the_code_stays(console: Console, database: Database) -> None:
    """The message named the address of its image."""
    record = failed("3", "image_invalid").to_dict()
    record["error"]["message"] = "No image is at https://example.org/ann.png"
    console.intake.take([submission("3", author="b", decision=record)], NOW)
    assert "ann.png" in str(row(database, 3).decision)
    erase(database, "b")
    assert row(database, 3).decision == record | {"error": {"code": "image_invalid", "message": ""}}


def test_what_is_erased_before_a_decision_waits_for_none(database: Database, ann: Person) -> None:
    assert erase(database, "a") == 2
    assert [row(database, item).state for item in (1, 2)] == ["decided", "erased"]
    with database.write() as tx:
        assert claims.claim_next(tx, ann.id, "main", NOW + DAY, 600) is None
        with pytest.raises(ReviewError):
            votes.cast(tx, 2, ann, BLOCK, submission="t", now=NOW + DAY)


def test_an_author_is_erased_also_from_what_was_erased_before(database: Database) -> None:
    with database.write() as tx:
        retention.expire(tx, NOW + 8 * DAY, 7)
        assert retention.erase_author(tx, "a", NOW + 9 * DAY) == 2
        with pytest.raises(NotFoundError, match="Nothing was erased: no item has the author 'a'"):
            retention.erase_author(tx, "a", NOW + 9 * DAY)
    assert {row(database, item).author for item in (1, 2)} == {None}


def test_what_somebody_holds_is_given_back_when_it_is_erased(database: Database, ben: Person) -> None:
    with database.write() as tx:
        assert claims.claim(tx, 2, ben.id, NOW, 600)
        retention.erase_author(tx, "a", NOW)
        assert claims.held_by(tx, ben.id, NOW) == []
        with pytest.raises(ReviewError, match="was deleted meanwhile"):
            votes.cast(tx, 2, ben, BLOCK, submission="t", now=NOW)


def test_nobody_judges_again_what_is_erased(database: Database, ann: Person) -> None:
    erase(database, "a")
    for again in (lambda tx: votes.undo(tx, "s", ann, NOW, 600), lambda tx: votes.clear(tx, 1, ann, NOW)):
        with pytest.raises(ReviewError, match="nobody can judge it again"), database.write() as tx:
            again(tx)
    assert (row(database, 1).state, row(database, 1).outcome["action"]) == ("decided", "block")


def test_people_of_one_key_in_several_sources_are_told_apart(console: Console, database: Database) -> None:
    console.intake.take([submission("9", author="a", source="other")], NOW)
    with database.write() as tx, pytest.raises(ReviewError, match="Several sources have an author 'a': api, other"):
        retention.erase_author(tx, "a", NOW)
    with database.write() as tx:
        assert retention.erase_author(tx, "a", NOW, "other") == 1
    assert [row(database, item).text != "" for item in (1, 2, 3)] == [True, True, False]
    assert erase(database, "a") == 2


@pytest.fixture
def file(console: Console, tmp_path: Path) -> Iterator[Database]:
    """A file of SQLite with a post of the author `a`."""
    database = Database.open(str(tmp_path / "erased.sqlite"))
    Console(console.settings, database).intake.take([submission("1", "these words " * 1000, author="a")], NOW)
    yield database
    database.close()


@pytest.fixture
def reader(file: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Has read of the file and may read on; nobody waits for it long."""
    monkeypatch.setattr("crossguard.review.store.database._CHECKPOINT_MS", 1)
    with file.read() as connection:
        connection.execute(select(likenesses.c.item)).all()
        yield connection


def is_found(folder: Path) -> bool:
    return any(b"these words" in file.read_bytes() for file in folder.glob("erased.sqlite*"))


def test_an_erased_text_is_in_no_file(file: Database, tmp_path: Path) -> None:
    """SQLite's write-ahead log would keep it until the console stops, and free pages for ever."""
    assert is_found(tmp_path)
    with file.erase() as tx:
        assert tx.exec_driver_sql("PRAGMA secure_delete").scalar_one() == 1
        retention.erase_author(tx, "a", NOW)
    assert not is_found(tmp_path)
    with file.write() as tx:
        assert tx.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 15_000


def test_an_open_reader_keeps_an_erased_text_and_that_is_told(
    file: Database, reader: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with file.erase() as tx:
        retention.erase_author(tx, "a", NOW)
    reader.close()
    assert is_found(tmp_path)
    (told,) = caplog.messages
    assert told.startswith("what was erased is still in SQLite's write-ahead log, because a reader is open.")
    assert told.endswith("It leaves the log with the next erasure, or when the console stops.")
    with file.erase():
        pass
    assert not is_found(tmp_path)
    assert caplog.messages == [told]


def test_erasing_waits_for_readers(
    file: Database,
    reader: Connection,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: reader.close())
    with file.erase() as tx:
        retention.erase_author(tx, "a", NOW)
    assert not is_found(tmp_path)
    assert caplog.messages == []


def test_an_author_is_erased_from_what_came_before_anybody_knew_them(
    console: Console, database: Database, ann: Person
) -> None:
    """As where the service sends posts, and a tool of moderators reports one of them."""
    report = {"reporter": "r", "reason": "rude"}
    console.intake.take([submission("42", "first"), submission("42#9", "by somebody else"), submission("7")], NOW)
    with database.write() as tx:
        votes.cast(tx, 3, ann, BLOCK, submission="t", now=NOW)
        copy_golden(tx, 3)
    appeal = take_appeal(console, Appeal(id="a1", post="42"), NOW)["item"]
    console.intake.take([submission("42", "second")], NOW)
    console.intake.take([submission("42", "second", author="u7", report=report)], NOW)
    last = appeal + 2
    assert [(row(database, item).external, row(database, item).author) for item in (3, appeal + 1, last)] == [
        ("42#3", None),
        ("42", "u7"),
        ("42", "u7"),
    ]
    assert erase(database, "u7") == 5
    texts = {item: row(database, item).text for item in range(3, last + 1)}
    assert [item for item, text in texts.items() if text] == [4, 5], "those of others"
    assert {row(database, item).author for item in texts} == {None}


def test_an_erasure_takes_no_post_that_has_another_author(console: Console, database: Database) -> None:
    console.intake.take([submission("3", "one"), submission("3#3", "two", author="c")], NOW)
    console.intake.take([submission("3", author="b", report={"reporter": "r", "reason": ""})], NOW)
    assert erase(database, "b") == 2
    assert row(database, 4).text == "two"


def test_an_erasure_takes_no_posts_whose_ids_end_in_the_numbers_of_their_items(
    console: Console, database: Database
) -> None:
    posts = [submission(f"post#{number}", f"{number} {'abcdef'[number] * 5}") for number in (4, 5)]
    console.intake.take([submission("post#3", "of the author", author="u1"), *posts], NOW)
    console.intake.take([submission("post#3", "edited by the author", author="u1")], NOW)
    assert erase(database, "u1") == 2
    assert [bool(row(database, item).text) for item in (3, 4, 5, 6)] == [False, True, True, False]


def test_an_earlier_version_of_a_post_with_a_number_in_its_id_is_erased(console: Console, database: Database) -> None:
    for text, author in (("the first words", None), ("edited since", None), ("edited since", "u1")):
        console.intake.take([submission("post#3", text, author=author)], NOW)
    assert erase(database, "u1") == 2


def test_an_author_leaves_no_name_and_no_reason_in_reports(console: Console, database: Database) -> None:
    def told(reporter: str, *ids: str, source: str = "api") -> list[Submission]:
        return [submission(i, report={"reporter": reporter, "reason": "rude"}, source=source) for i in ids]

    console.intake.take([*told("a", "7", "8"), *told("b", "7", "9"), *told("a", "7", source="other")], NOW)
    left = []
    with database.write() as tx, pytest.raises(ReviewError, match="Several sources have an author 'a': api, other"):
        retention.erase_author(tx, "a", NOW)
    for author, source, count in (("a", "api", 2), ("b", "api", 0), ("a", None, 0)):
        with database.write() as tx:
            assert retention.erase_author(tx, author, NOW, source) == count
            left.append(list(tx.execute(select(reports.c.reporter, reports.c.reason).order_by(reports.c.id))))
            with pytest.raises(NotFoundError, match="Nothing was erased"):
                retention.erase_author(tx, author, NOW, source or "api")
    told_by = [[reporter.split()[0] for reporter, _ in found] for found in left]
    assert told_by[0] == ["somebody", "erased", "erased", "b", "b", "a"]
    assert told_by[2] == ["somebody", *5 * ["erased"]]
    assert [[reason for _, reason in found] for found in left] == [[""] * (6 - n) + ["rude"] * n for n in (3, 1, 0)]
    with database.read() as db:
        assert all(db.execute(select(items.c.text).where(items.c.id > 2)).scalars()), "posts of others"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_erasing_looks_up_comments_and_not_all_votes_of_a_reviewer(
    console: Console, database: Database, ann: Person
) -> None:
    """On a large console, an hour's retention would hold up everybody."""
    console.intake.take([submission(f"p{number}") for number in range(400)], NOW)
    ballot = Ballot({"racist": Answer.YES}, "block", "", "a comment")
    steps: list[int] = []

    def erased(count: int) -> int:
        """Returns for how many thousand of its instructions SQLite erased so many more posts."""
        with database.write() as tx:
            numbers = tx.execute(select(items.c.id).order_by(items.c.id)).scalars().all()[-count:]
            for number in numbers:
                votes.cast(tx, number, ann, ballot, submission=f"s{number}", now=NOW)
            tx.execute(update(items).where(items.c.id.in_(numbers)).values(author=f"of {count}"))
            connection = tx.connection.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            steps.clear()
            connection.set_progress_handler(lambda: steps.append(1), 1000)
            assert retention.erase_author(tx, f"of {count}", NOW) == count
            connection.set_progress_handler(None, 1000)
            tx.rollback()
        return len(steps)

    few, many = erased(100), erased(400)
    assert many < 6 * few  # 4 where each post costs the same


def test_a_comment_on_an_erased_post_is_not_left_on_those_decided_with_it(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(id_) for id_ in "345"], NOW)
    with database.write() as tx:
        votes.cast(tx, 3, ann, Ballot({"racist": Answer.YES}, "block", "", "the comment"), submission="s", now=NOW)
        for item, who in ((4, ben), (5, ann)):
            ballot = Ballot({"racist": Answer.YES}, "block", "", "another")
            votes.cast(tx, item, who, ballot, submission="s" if who is ben else "t", now=NOW)
        retention.erase_author(tx, "a", NOW)
        comments = [votes.standing(tx, item)[0].comment for item in (1, 3, 4, 5)]
    assert comments == ["", "", "another", "another"]


def test_no_checksum_stays_of_the_newest_words_that_were_allowed_and_not_sampled(
    console: Console, database: Database
) -> None:
    for text, score in (("a threat", 0.7), ("other words", 0.02)):
        console.intake.take([submission("3", text, score=score, author="b")], NOW)
    assert row(database, 3).external == "3#3"
    erase(database, "b")
    with database.read() as db:
        sums = db.execute(select(counted.c.text_sum)).scalars().all()
    assert sums.count(None) == 1
