"""Items are stored once, and reports add up."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from tests.support.pictures import data_url, encoded
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, LEASE, NOW, cast, copy_golden, erase, row

from crossguard.review.console import Console
from crossguard.review.errors import ReviewError
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import arrivals, claims, items, votes
from crossguard.review.store.arrivals import REPORT_URGENCY_H
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import items as table
from crossguard.review.store.schema import reports
from crossguard.review.submissions import Submission


def test_what_a_source_sent_before_stays_as_it_was(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "first words"), submission("2")], NOW)
    console.intake.take([submission("1", "first words", queue="escalated"), submission("3")], NOW + 1)
    with database.read() as db:
        assert db.execute(select(table.c.external).order_by(table.c.id)).scalars().all() == ["1", "2", "3"]
        found = items.get(db, 1)
    assert (found.text, found.queue, found.received_at) == ("first words", "main", NOW)


def test_a_known_post_stands_for_fewer_where_more_are_taken_by_now(
    settings: ReviewSettings, everything: ReviewSettings, database: Database
) -> None:
    """As where `--config` was forgotten at the first import: one of 300 posts stood for a hundred of them."""
    posts = [submission(str(number), score=0.02) for number in range(300)]
    for used in (settings.model_copy(update={"audit_rate": 0.1}), everything, settings):
        Console(used, database).intake.take(posts, NOW)
    Console(settings.model_copy(update={"audit_rate": 0.5}), database).intake.take(posts, NOW)
    with database.read() as db:
        assert db.execute(select(table.c.inclusion)).scalars().all() == [1.0] * 300


def test_a_post_that_comes_again_without_scores_stands_for_as_many_as_before(
    settings: ReviewSettings, database: Database
) -> None:
    console = Console(settings.model_copy(update={"audit_rate": 0.2}), database)
    console.intake.take([submission(str(number), score=0.02) for number in range(50)], NOW)
    sampled = row(database, 1).external
    console.intake.take([submission(sampled, decision=None)], NOW)
    assert row(database, 1).inclusion == 0.2


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


def test_the_next_suggestion_of_a_person_takes_the_place_of_theirs(console: Console, database: Database) -> None:
    def suggest(by: str, score: float, at: float) -> float:
        suggestion = {"by": by, "scores": {"TOXICITY": score}}
        console.intake.take([submission("1", suggestion=suggestion)], at)
        return float(row(database, 1).urgency)

    urgency = suggest("x", 0.9, NOW)
    assert suggest("x", 0.1, NOW + 1) == urgency, "they asked for it once"
    assert suggest("y", 0.5, NOW + 2) == pytest.approx(urgency + REPORT_URGENCY_H)
    with database.read() as db:
        found = [(vote.labels["TOXICITY"], vote.decided_at) for vote in votes.of(db, 1)]
    assert found == [(0.1, NOW + 1), (0.5, NOW + 2)]


def test_a_report_on_what_is_erased_leaves_no_words(console: Console, database: Database) -> None:
    console.intake.take([submission("1", author="a", report={"reporter": "r", "reason": "rude"})], NOW)
    erase(database, "a")
    console.intake.take([submission("1", author="a", report={"reporter": "s", "reason": "he is John"})], NOW)
    with database.read() as db:
        assert db.execute(select(reports.c.reason)).scalars().all() == ["", ""]


@pytest.fixture
def reported(console: Console, database: Database, ann: Person, ben: Person) -> None:
    """A post that the model flagged (item 1, decided by Ann) and somebody reported (item 2, decided by Ben)."""
    more: dict[str, Any] = {"author": "a", "report": {"reporter": "r", "reason": "rude"}}
    console.intake.take([submission("1", "the words", author="a"), submission("1", "the words", **more)], NOW)
    cast(database, 1, ann)
    cast(database, 2, ben)


@pytest.mark.usefixtures("reported")
def test_an_appeal_against_a_post_that_is_edited_meanwhile_is_about_all_that_was_decided(
    console: Console, database: Database, ann: Person, ben: Person, cid: Person
) -> None:
    take_appeal(console, Appeal(id="a1", post="1"), NOW)
    console.intake.take([submission("1", "other words", author="a")], NOW)
    with database.write() as tx:
        assert not any(claims.claim(tx, 3, who.id, NOW, LEASE) for who in (ann, ben)), "they decided the post"
        assert claims.claim(tx, 3, cid.id, NOW, LEASE)
    cast(database, 3, cid, ALLOW)
    assert [(row(database, item).external, row(database, item).outcome["action"]) for item in (1, 2)] == [
        ("1#1", "allow"),
        ("1#1", "allow"),
    ]
    assert (row(database, 4).external, row(database, 4).state) == ("1", "open")


def test_an_edit_of_a_post_and_its_report_at_once_leaves_a_golden_item_of_another_text_alone(
    console: Console, database: Database
) -> None:
    def versions(text: str) -> list[Submission]:
        return [submission("1", text), submission("1", text, report={"reporter": "r", "reason": "rude"})]

    golden = submission("1", "of the first day", expected={"action": "allow", "labels": {}})
    console.intake.take([*versions("the words"), golden], NOW)
    console.intake.take(versions("quite another text"), NOW)
    named = [row(database, item).external for item in range(1, 6)]
    assert (named[0] == named[1], set(named[2:])) == (True, {"1"})
    assert named[0] in {"1#1", "1#2"}


def test_a_golden_item_that_is_sent_again_has_the_new_answer(console: Console, database: Database) -> None:
    for action in ("block", "allow"):
        console.intake.take([submission("1", expected={"action": action, "labels": {}})], NOW)
    assert row(database, 1).expected == {"action": "allow", "labels": {}}
    with pytest.raises(ReviewError, match="The golden item '1' is there with another text"):
        console.intake.take([submission("1", "other", expected={"action": "block", "labels": {}})], NOW)
    assert row(database, 1).expected == {"action": "allow", "labels": {}}, "the answer to another text"


@pytest.mark.usefixtures("reported")
def test_an_edited_post_does_not_show_the_answer_of_its_golden_item(
    console: Console, database: Database, ann: Person, cid: Person
) -> None:
    with database.write() as tx:
        golden = copy_golden(tx, 1, expected={"action": "block", "labels": {}})
    console.intake.take([submission("1", "other words", author="a")], NOW)
    with database.write() as tx:
        assert not claims.claim(tx, golden, ann.id, NOW, LEASE), "who made the answer"
        assert claims.claim(tx, golden, cid.id, NOW, LEASE)
        assert [entry.text for entry in items.earlier_of_author(tx, items.get(tx, golden))] == ["other words"]


def test_two_edits_at_once_are_both_judged(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "first")], NOW)
    taken: list[list[str]] = []

    def send() -> None:
        taken.append(list(console.intake.take([submission("1", "third")], NOW).edited))

    sending = threading.Thread(target=send)
    with database.write() as tx:
        arrivals.put(tx, [console.intake._item(submission("1", "second"), None, NOW)], {}, (), 0)
        sending.start()
        sending.join(0.5)  # without waiting, it would find the first text only
    sending.join()
    assert taken == [["1"]]
    assert [row(database, item).external for item in (1, 2, 3)] == ["1#1", "1#2", "1"]
    assert row(database, 3).text == "third"


@pytest.mark.parametrize("engine", ["postgresql"])
def test_other_posts_wait_for_nobody_on_postgresql(console: Console, database: Database) -> None:
    others = [[submission("2")], [submission("3", score=0.05)]]  # the last is only counted
    sending = [threading.Thread(target=console.intake.take, args=(posts, NOW)) for posts in others]
    with database.write() as tx:
        arrivals.put(tx, [console.intake._item(submission("1"), None, NOW)], {}, (), 0)
        for thread in sending:
            thread.start()
            thread.join(5)
        waiting = [thread.is_alive() for thread in sending]
    for thread in sending:
        thread.join()
    assert waiting == [False, False]


def test_another_version_that_was_reported_keeps_its_id(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "first")], NOW)
    console.intake.take([submission("1", "second", report={"reporter": "r", "reason": ""})], NOW)
    console.intake.take([submission("1", "second")], NOW)
    assert [row(database, item).external for item in (1, 2, 3)] == ["1#1", "1", "1"]


def test_an_earlier_version_gets_a_name_that_the_source_did_not_send(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "first"), submission("1#1", "somebody's comment")], NOW)
    assert console.intake.take([submission("1", "second"), submission("2")], NOW).taken == 2
    assert [row(database, item).external for item in (1, 2, 3, 4)] == ["1#1#1", "1#1", "1", "2"]


@pytest.mark.parametrize("kind", ["flag", "report"])
def test_an_edit_that_nobody_needs_to_see_makes_an_earlier_version_of_what_is_there(
    kind: str, console: Console, database: Database
) -> None:
    """Else the decision about a threat would go out as one about the harmless words that took its place."""
    report: dict[str, Any] = {"report": {"reporter": "r", "reason": ""}} if kind == "report" else {}
    console.intake.take([submission("1", "a threat", **report), submission("2", score=0.02)], NOW)
    passed = [submission("1", "harmless words", score=0.02), submission("2", "edited", score=0.02)]
    received = console.intake.take(passed, NOW)
    assert (received.taken, received.known, received.passed, received.edited) == (0, 0, 2, ["1"])
    assert (row(database, 1).external, items.own_id(row(database, 1))) == ("1#1", "1")
    assert console.intake.take(passed, NOW).edited == []
    assert console.intake.take([submission("1", "a threat")], NOW).taken == 1, "edited back"


def test_an_edit_that_nobody_needs_to_see_is_told_by_its_image_too(console: Console, database: Database) -> None:
    first, second = (data_url(encoded(noise(seed), "PNG")) for seed in (1, 2))
    allowed = submission("1", "words", score=0.02, images=[second])
    received = console.intake.take([submission("1", "words", images=[first]), allowed], NOW)
    assert (received.taken, received.passed, received.edited) == (1, 1, ["1"])
    assert row(database, 1).external == "1#1"


def test_a_report_that_came_with_an_earlier_text_is_no_report_on_the_new_one(
    console: Console, database: Database
) -> None:
    report = {"reporter": "r", "reason": ""}
    console.intake.take([submission("1", "first", report=report)], NOW)
    assert console.intake.take([submission("1", "second")], NOW).edited == ["1"]
    assert console.intake.take([submission("1", "third", report=report)], NOW).edited == ["1"]
    assert [row(database, item).external for item in (1, 2, 3)] == ["1#1", "1#2", "1"]


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).resize((64, 64))


def test_another_image_under_the_same_id_is_another_version(console: Console, database: Database) -> None:
    first, smaller = data_url(encoded(noise(1), "PNG")), data_url(encoded(noise(1).resize((48, 48)), "JPEG"))
    second, link = data_url(encoded(noise(2), "PNG")), "https://example.org/a.png"
    edited = [
        list(console.intake.take([submission("1", "words", images=shown)], NOW).edited)
        for shown in ([first], [smaller], [link], [], [second], [second])
    ]
    assert edited == [[], [], [], [], ["1"], []]
    assert [row(database, item).external for item in (1, 2)] == ["1#1", "1"]


def test_two_images_of_one_post_in_one_batch_are_two_versions(console: Console, database: Database) -> None:
    posts = [submission("1", "words", images=[data_url(encoded(noise(seed), "PNG"))]) for seed in (1, 2)]
    assert console.intake.take(posts, NOW).taken == 2
    assert [row(database, item).external for item in (1, 2)] == ["1#1", "1"]


def test_a_post_that_comes_again_with_its_author_gets_one(console: Console, database: Database) -> None:
    console.intake.take([submission(str(number)) for number in range(4)], NOW)
    again = [submission("0", author="a"), submission("1", author="b", report={"reporter": "r", "reason": ""})]
    console.intake.take([*again, submission("2", "edited", author="c"), submission("3")], NOW)
    console.intake.take([submission("0", author="d"), submission("4", author="d")], NOW)
    assert [row(database, item).author for item in range(1, 5)] == ["a", "b", "c", None]
    assert [row(database, item).external for item in (3, 6)] == ["2#3", "2"]


def test_a_post_that_is_not_sampled_any_more_gets_its_author_too(
    everything: ReviewSettings, database: Database
) -> None:
    Console(everything, database).intake.take([submission("1", score=0.02)], NOW)
    later = Console(everything.model_copy(update={"audit_rate": 0.0}), database)
    assert later.intake.take([submission("1", score=0.02, author="a")], NOW).passed == 1
    assert row(database, 1).author == "a"
    assert erase(database, "a") == 1
