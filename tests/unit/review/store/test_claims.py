"""Claims are leases: no two people hold or decide the same item, whatever they do at once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select
from tests.support.review import submission
from tests.unit.review.conftest import LEASE, NOW, copy_golden, person

from crossguard.review.console import Console
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.resolution import Ballot
from crossguard.review.store import claims, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import votes as table

BALLOT = Ballot({}, "allow")


def fill(console: Console, count: int) -> None:
    console.intake.take([submission(str(index), score=0.5 + index / 1000) for index in range(count)], NOW)


def next_of(database: Database, who: Person, now: float = NOW, **more: Any) -> int | None:
    with database.write() as tx:
        return claims.claim_next(tx, who.id, "main", now, LEASE, **more)


def test_twenty_people_at_once_never_share_an_item(console: Console, database: Database) -> None:
    waiting, people = 120, 12
    fill(console, waiting)
    crowd = [person(database, f"p{index}") for index in range(people)]
    taken: list[tuple[int, int]] = []
    start = threading.Barrier(people)

    def work(who: Person) -> None:
        start.wait()
        while (item := next_of(database, who)) is not None:
            taken.append((item, who.id))
            with database.write() as tx:
                votes.cast(tx, item, who, BALLOT, submission=f"s{item}-{who.id}", now=NOW)

    with ThreadPoolExecutor(len(crowd)) as threads:
        list(threads.map(work, crowd))
    assert len(taken) == waiting
    assert max(Counter(item for item, _ in taken).values()) == 1
    with database.read() as db:
        assert db.execute(select(func.count()).select_from(table)).scalar_one() == waiting


def test_all_claim_one_item_and_one_gets_it(console: Console, database: Database) -> None:
    fill(console, 1)
    crowd = [person(database, f"p{index}") for index in range(8)]
    start, got = threading.Barrier(len(crowd)), []

    def work(who: Person) -> None:
        start.wait()
        with database.write() as tx:
            if claims.claim(tx, 1, who.id, NOW, LEASE):
                got.append(who.id)

    with ThreadPoolExecutor(len(crowd)) as threads:
        list(threads.map(work, crowd))
    assert len(got) == 1


def test_a_lease_ends_and_another_takes_over(console: Console, database: Database, ann: Person, ben: Person) -> None:
    fill(console, 1)
    item = next_of(database, ann)
    assert item is not None
    assert next_of(database, ben) is None
    assert next_of(database, ben, NOW + LEASE) == item
    with database.write() as tx:
        assert not claims.renew(tx, item, ann.id, NOW + LEASE, LEASE)


def test_renewing_keeps_and_releasing_gives_back(
    console: Console, database: Database, ann: Person, ben: Person
) -> None:
    fill(console, 1)
    item = next_of(database, ann)
    assert item is not None
    with database.write() as tx:
        assert claims.renew(tx, item, ann.id, NOW + 500, LEASE)
    assert next_of(database, ben, NOW + LEASE) is None
    with database.write() as tx:
        claims.release(tx, item, ben.id)  # not his to give back
    assert next_of(database, ben, NOW + LEASE) is None
    with database.write() as tx:
        claims.release(tx, item, ann.id)
    assert next_of(database, ben, NOW + LEASE) == item


def test_orders_and_filters(console: Console, database: Database, ann: Person) -> None:
    posts = [
        submission("1", score=0.55, language="de"),
        submission("2", score=0.95, author="a"),
        submission("3", score=0.7),
    ]
    console.intake.take(posts, NOW)
    assert next_of(database, ann) == 2, "the highest score that asks for a block comes first"
    assert next_of(database, ann, order=claims.UNCERTAIN) == 1, "the score nearest to its threshold comes first"
    assert next_of(database, ann, NOW + 9999, filters={"language": "de"}) == 1
    assert next_of(database, ann, NOW + 9999, filters={"author": "a", "label": "racist", "score_from": 0.9}) == 2
    assert next_of(database, ann, NOW + 99999, filters={"label": "sexist"}) is None


def test_the_filter_by_label_finds_posts_that_a_band_below_its_threshold_sends(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("1", score=0.45), submission("2", decision=None)], NOW)
    assert next_of(database, ann, filters={"label": "sexist"}) is None
    assert next_of(database, ann, filters={"label": "racist"}) == 1


def test_who_made_the_known_answer_does_not_get_the_golden_item(console: Console, database: Database) -> None:
    fill(console, 1)
    ann, ben = person(database, "Ann"), person(database, "Ben")
    assert next_of(database, ann) == 1
    with database.write() as tx:
        votes.cast(tx, 1, ann, BALLOT, submission="s1", now=NOW)
        made = copy_golden(tx, 1)
        assert not claims.claim(tx, made, ann.id, NOW, LEASE)
    assert next_of(database, ann, state=claims.GOLD) is None
    assert next_of(database, ben, state=claims.GOLD) == made


def test_who_decided_an_appeal_does_not_get_the_golden_item_of_its_post(
    console: Console, database: Database, ann: Person, ben: Person, cid: Person
) -> None:
    fill(console, 1)
    for item, who in ((1, ann), (2, ben)):
        with database.write() as tx:
            assert claims.claim(tx, item, who.id, NOW, LEASE)
            votes.cast(tx, item, who, BALLOT, submission=f"s{item}", now=NOW)
        if item == 1:
            take_appeal(console, Appeal(id="a1", post="0"), NOW)
    with database.write() as tx:
        made = copy_golden(tx, 1)
        assert [claims.claim(tx, made, who.id, NOW, LEASE) for who in (ann, ben, cid)] == [False, False, True]
