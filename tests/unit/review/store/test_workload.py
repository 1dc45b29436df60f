"""A person's answers, page by page."""

from __future__ import annotations

from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review.console import Console
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.store import claims, votes, workload
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person


def test_answers_come_newest_first_and_a_page_goes_on_where_the_last_ended(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    console.intake.take([submission(str(number), image_text="on a sign") for number in range(5)], NOW)
    with database.write() as tx:
        for item, at in ((1, NOW), (2, NOW), (3, NOW + 1), (4, NOW + 2)):
            assert claims.claim(tx, item, ann.id, at, 600)
            votes.cast(tx, item, ann, Ballot({"racist": Answer.NO}, "allow"), submission=f"s{item}", now=at)
        votes.undo(tx, "s3", ann, NOW + 3, 600)
    with database.read() as db:
        first = workload.recent(db, ann.id, limit=2)
        place = first[-1].decided_at, first[-1].id
        assert [(row.item, row.image_text) for row in first] == [(4, "on a sign"), (2, "on a sign")]
        assert [row.item for row in workload.recent(db, ann.id, before=place)] == [1]
        assert workload.recent(db, ann.id, limit=1)[0].submission == "s4"
        assert workload.recent(db, ben.id, limit=1) == []
        assert workload.seen_today(db, ann.id, NOW) == 4, "what was undone was seen"
