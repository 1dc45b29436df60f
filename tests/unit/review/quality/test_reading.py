"""What the quality page counts, on votes whose sums are known."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from tests.support.review import decision, submission
from tests.unit.review.conftest import BLOCK, NOW, undo

from crossguard.review.console import Console
from crossguard.review.quality import model, reading
from crossguard.review.quality.reading import Sample, Stratum
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import DAY, items
from crossguard.review.submissions import Expected

REPORT = {"reporter": "r", "reason": "rude"}


def answer(
    database: Database, item: int, who: Person, said: Answer = Answer.YES, *, at: float = NOW, after: float = 30
) -> None:
    """Lets a person answer an item that they claimed some seconds before."""
    with database.write() as tx:
        assert claims.claim(tx, item, who.id, at - after, 600)
        ballot = Ballot({"racist": said}, "allow" if said is Answer.NO else "block")
        votes.cast(tx, item, who, ballot, submission=f"{item}x{who.id}", now=at)


def ask_two(database: Database) -> None:
    with database.write() as tx:
        tx.execute(update(items).values(needed=2))


def test_decided_items_are_those_that_the_model_scored_and_the_feed_sent(
    console: Console, database: Database, ann: Person
) -> None:
    posts = [submission("1", score=0.95), submission("2", score=0.6), submission("3", score=0.6)]
    console.intake.take([*posts, submission("4", report=REPORT), submission("5", decision=None)], NOW)
    for item, at in ((2, NOW), (1, NOW + 1), (4, NOW + 2), (5, NOW + 3)):
        answer(database, item, ann, Answer.YES if item == 1 else Answer.NO, at=at)
    with database.read() as db:
        second, first = reading.decided(db)
        (newest,) = reading.decided(db, newest=1)
    assert (second.item, first.item, newest.item) == (2, 1, 1), "the oldest first"
    assert (first.truth, first.hateful, second.hateful) == ({"racist": 1.0}, True, False)
    assert first.scores["racist"] == (0.95, 0.5, True)
    assert first.model == ("tiny", "1.0.0", "default", "1")
    assert (first.stratum, first.kind, first.inclusion) == ("block", "text", 1.0)


def test_strata_hold_what_came_by_and_what_people_found_in_it(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission(str(i), score=s) for i, s in enumerate((0.95, 0.95, 0.6, 0.3, 0.1, 0.1))], NOW)
    answer(database, 1, ann, Answer.YES)
    answer(database, 2, ann, Answer.NO)
    with database.read() as db:
        assert reading.strata(db) == [
            Stratum("review", posts=1),
            Stratum("block", posts=2, samples=(Sample(1.0, 2, 1),)),
            Stratum("allow-far", posts=2),
            Stratum("allow-near", posts=1),
        ]


def test_what_was_taken_with_another_probability_is_another_sample(
    console: Console, database: Database, everything: ReviewSettings, ann: Person
) -> None:
    Console(everything, database).intake.take([submission(str(number), score=0.1) for number in range(3)], NOW)
    with database.write() as tx:
        tx.execute(update(items).where(items.c.id > 1).values(inclusion=0.1))
    for item in (1, 2, 3):
        answer(database, item, ann, Answer.NO if item == 3 else Answer.YES)
    with database.read() as db:
        (found,) = reading.strata(db)
    assert found.samples == (Sample(0.1, 2, 1), Sample(1.0, 1, 1))
    assert (found.checked, found.hateful) == (3, 2)


def test_the_strata_of_one_policy_are_what_its_items_stand_for(
    console: Console, database: Database, ann: Person
) -> None:
    posts = [submission(str(number), score=0.7 if number < 3 else 0.02) for number in range(5)]
    console.intake.take(posts, NOW)
    mine = ("tiny", "1.0.0", "default", "1")
    for item in (1, 2):
        answer(database, item, ann)
    with database.read() as db:
        assert reading.strata(db, mine) == reading.strata(db), "the feed was counted, and nobody else scored it"
    with database.write() as tx:
        tx.execute(update(items).where(items.c.id > 1).values(inclusion=0.2))
    later = decision("9") | {"policy_version": "2"}
    console.intake.take([submission("9", decision=later), submission("8", decision=None)], NOW)
    with database.read() as db:
        found, allowed = reading.strata(db, mine)
        other, _ = reading.strata(db, (*mine[:3], "2"))
    assert allowed == Stratum("allow-far", posts=2), "a warning that nobody looked there"
    assert found == Stratum("review", posts=11, samples=(Sample(0.2, 1, 1, waiting=1), Sample(1.0, 1, 1)))
    assert other == Stratum("review", posts=1)


def test_a_post_on_which_people_are_unsure_is_not_counted_as_hateful(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission(str(number)) for number in range(3)], NOW)
    for item, said in enumerate((Answer.UNSURE, Answer.YES, Answer.NO), 1):
        answer(database, item, ann, said)
    with database.read() as db:
        assert reading.strata(db) == [Stratum("review", posts=3, samples=(Sample(1.0, 3, 1),))]
        assert [item.hateful for item in reading.decided(db)] == [False, True, False]


def test_the_demo_counts_while_there_is_nothing_else(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission("1", source="demo"), submission("2", source="demo")], NOW)
    answer(database, 1, ann, Answer.YES)
    with database.read() as db:
        assert [item.item for item in reading.decided(db)] == [1]
        assert reading.strata(db) == [Stratum("review", posts=2, samples=(Sample(1.0, 1, 1, waiting=1),))]
    console.intake.take([submission("1")], NOW)
    with database.read() as db:
        assert reading.decided(db) == []
        assert reading.strata(db) == [Stratum("review", posts=1)]


def test_agreement_looks_at_answers_of_several_that_stand(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(str(number)) for number in range(4)], NOW)
    ask_two(database)
    for item, second in ((1, Answer.NO), (3, Answer.UNSURE), (4, Answer.YES)):
        answer(database, item, ann)
        answer(database, item, ben, second, at=NOW + 60)
    answer(database, 2, ann)
    undo(database, 4, ben, NOW + 61)
    with database.read() as db:
        found = reading.answers_by_label(db, ("racist", "sexist"))
    assert found == {"racist": {1: {ann.id: True, ben.id: False}, 3: {ann.id: True}}, "sexist": {}}


def test_golden_items_pair_an_answer_with_the_known_one(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    known = Expected(action="block", labels={"racist": "yes", "sexist": "no"})
    console.intake.take([submission("1", expected=known)], NOW)
    answer(database, 1, ann, Answer.NO)
    answer(database, 1, ben, Answer.UNSURE, at=NOW + 60)
    with database.read() as db:
        assert reading.golden_pairs(db) == {"racist": {ann.id: {1: [(False, True)]}}}


def test_golden_items_tell_nothing_of_agreement(console: Console, database: Database, ann: Person, ben: Person) -> None:
    """Most show what the model says, and as many people judge one as there are."""
    known = Expected(action="block", labels={"racist": "yes"})
    console.intake.take([submission("1", expected=known), submission("2")], NOW)
    ask_two(database)
    for who in (ann, ben):
        answer(database, 1, who)
        answer(database, 2, who, Answer.NO)
    with database.read() as db:
        found = reading.answers_by_label(db, ("racist",))
        assert reading.golden_pairs(db) == {"racist": {who.id: {1: [(True, True)]} for who in (ann, ben)}}
    assert found == {"racist": {2: {ann.id: False, ben.id: False}}}


def test_workload_is_what_stands_and_the_median_time_that_it_took(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(str(number)) for number in range(5)], NOW - DAY)
    answer(database, 1, ann, at=NOW - DAY, after=10)
    answer(database, 2, ann, after=20)
    answer(database, 3, ann, after=60)
    answer(database, 4, ann, after=500)
    with database.write() as tx:
        votes.undo(tx, f"4x{ann.id}", ann, NOW + 1, 600)
        assert claims.claim(tx, 5, ann.id, NOW, 600)
        votes.pass_on(tx, 5, ann, votes.SKIP, "other", submission="s", now=NOW)
    with database.read() as db:
        (work,) = reading.workloads(db, NOW)
        assert reading.seconds_of(db, ann.id) == 20
    assert (work.name, work.decided, work.skipped, work.escalated) == ("Ann", 3, 1, 0)
    assert work.today == 3, "of today are two votes and the skip"


def test_waiting_items_are_counted_by_their_age(console: Console, database: Database, ann: Person) -> None:
    for number, hours in enumerate((0.5, 1, 2, 30, 1000)):
        console.intake.take([submission(str(number))], NOW - 3600 * hours)
    console.intake.take([submission("9")], NOW)
    answer(database, 6, ann)
    with database.read() as db:
        found = reading.backlog(db, NOW)
    assert found == [("< 1 h", 1), ("< 6 h", 2), ("< 1 d", 0), ("< 3 d", 1), ("< 7 d", 0), ("older", 1)]


def test_what_was_decided_along_with_an_item_takes_no_time(console: Console, database: Database, ann: Person) -> None:
    console.intake.take([submission(str(number)) for number in range(6)], NOW)
    with database.write() as tx:
        assert claims.claim(tx, 1, ann.id, NOW - 9, 600)
        for item in range(1, 7):
            votes.cast(tx, item, ann, Ballot({"racist": Answer.YES}, "block"), submission="s", now=NOW)
    with database.read() as db:
        (work,) = reading.workloads(db, NOW)
        assert (work.decided, reading.seconds_of(db, ann.id)) == (6, 9)


def test_a_third_vote_tells_nothing_of_agreement(
    console: Console, database: Database, ann: Person, ben: Person, cid: Person
) -> None:
    """It is only asked for where two disagree, so that people who flip coins would seem to agree."""
    console.intake.take([submission("1")], NOW)
    ask_two(database)
    for who, said in ((ann, Answer.YES), (ben, Answer.NO), (cid, Answer.YES)):
        answer(database, 1, who, said)
    with database.read() as db:
        found = reading.answers_by_label(db, ("racist",))
    assert found == {"racist": {1: {ann.id: True, ben.id: False}}}


def test_who_has_seen_what_the_model_says_tells_nothing_of_agreement(
    settings: ReviewSettings, database: Database, ann: Person, ben: Person
) -> None:
    """It is shown after a blind answer, which can be taken back and given anew."""
    blind = settings.model_copy(update={"second_vote_rate": 1.0})
    known = Expected(action="block", labels={"racist": "yes"})
    Console(blind, database).intake.take([submission("1"), submission("2"), submission("3", expected=known)], NOW)
    for item in (1, 2, 3):
        answer(database, item, ann, Answer.NO)
    for item in (1, 3):
        with database.write() as tx:
            votes.undo(tx, f"{item}x{ann.id}", ann, NOW + 1, 600)
            assert claims.claim(tx, item, ann.id, NOW + 1, 600)
            votes.cast(tx, item, ann, BLOCK, submission=f"again{item}", now=NOW + 1)
    for item in (1, 2):
        answer(database, item, ben, Answer.YES, at=NOW + 60)
    with database.read() as db:
        assert reading.answers_by_label(db, ("racist",)) == {
            "racist": {1: {ben.id: True}, 2: {ann.id: False, ben.id: True}}
        }
        assert reading.golden_pairs(db) == {}


def test_what_waits_of_a_later_sample_counts_in_its_weight() -> None:
    """All of a first import are decided, and one in ten of the sample that came after it at a lower rate."""
    samples = (Sample(0.01, 10, 0, waiting=90), Sample(1.0, 200, 20))
    found = model.live([Stratum("allow-far", posts=10_200, samples=samples)])
    assert found.prevalence.value == pytest.approx(20 / 10_200)
