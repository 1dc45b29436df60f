"""Items: stored once, found again, listed page by page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from unittest import mock

import pytest
from sqlalchemy import select
from tests.support.pictures import data_url, encoded, halves
from tests.support.review import submission
from tests.unit.review.conftest import ALLOW, LEASE, NOW, cast, copy_golden

from crossguard.review.console import Console
from crossguard.review.errors import NotFoundError
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.store import claims, items, listing, retention, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import images


def test_a_post_is_found_by_its_source_appeals_and_golden_items_aside(console: Console, database: Database) -> None:
    console.intake.take([submission("0")], NOW)
    with database.write() as tx:
        copy_golden(tx, 1)
    with database.read() as db:
        assert items.find(db, "api", "0").id == 1
        with pytest.raises(NotFoundError, match="There is no post '7' of the source 'api' here"):
            items.find(db, "api", "7")
        with pytest.raises(NotFoundError, match="no item 99"):
            items.get(db, 99)


def test_the_earlier_version_of_a_post_is_the_newest_decided_one_that_is_there(
    console: Console, database: Database, ann: Person
) -> None:
    """The source itself may send an id that looks like that of a version."""
    other = submission("1#9", "of another post")
    versions = [submission("1", text, author=text[0]) for text in ("a first text", "b other words", "now it waits")]
    for item, sent in enumerate((other, *versions), 1):
        console.intake.take([sent], NOW)
        if sent is not versions[-1]:
            cast(database, item, ann)
    with database.write() as tx:
        assert items.earlier_version(tx, "api", "1") == "1#3"
        retention.erase_author(tx, "b", NOW)
        assert items.earlier_version(tx, "api", "1") == "1#2"
        assert items.earlier_version(tx, "forum", "1") is None
        assert items.earlier_version(tx, "api", "1#9") is None


def test_the_own_id_of_a_post_is_that_of_all_its_versions(console: Console, database: Database) -> None:
    """The source itself may send ids that look like those of versions, even where their number is that of an item."""
    ids = ["3", "3#2", "1", "1", "1#99", "9#6", "1"]  # items 1 to 7
    for place, id_ in enumerate(ids):
        console.intake.take([submission(id_, f"the text number {'abcdefghij'[place] * 5}")], NOW)
    with database.read() as db:
        rows = [items.get(db, number) for number in range(1, 8)]
        assert [row.external for row in rows] == ["3", "3#2", "1#3", "1#4", "1#99", "9#6", "1"]
        assert [items.own_id(row) for row in rows] == ["3", "3#2", "1", "1", "1#99", "9#6", "1"]


def test_the_own_id_of_a_post_may_end_in_the_number_of_its_item(console: Console, database: Database) -> None:
    for id_, text in [("post#1", "the first text"), ("post#2", "other words"), ("post#1", "quite something else")]:
        console.intake.take([submission(id_, text)], NOW)
    with database.read() as db:
        rows = [items.get(db, number) for number in range(1, 4)]
        assert [row.external for row in rows] == ["post#1#1", "post#2", "post#1"]
        assert [items.own_id(row) for row in rows] == ["post#1", "post#2", "post#1"]


def test_a_copy_has_the_images_of_its_original(console: Console, database: Database) -> None:
    console.intake.take([submission("1", images=(data_url(encoded(halves(), "PNG")),) * 2)], NOW)
    with database.write() as tx:
        made = copy_golden(tx, 1)
    with database.read() as db:
        stored = select(images.c.jpeg, images.c.hash, images.c.position).order_by(images.c.position)
        first, second = (db.execute(stored.where(images.c.item == number)).all() for number in (1, made))
        assert first == second
        assert len(first) == 2
        assert listing.first_images(db, [1, made]) == {
            number: items.images_of(db, number)[0].id for number in (1, made)
        }


def test_other_posts_of_an_author_come_newest_first(console: Console, database: Database) -> None:
    console.intake.take([submission(str(number), author="a" if number != 2 else None) for number in range(4)], NOW)
    with database.read() as db:
        assert [row.id for row in items.earlier_of_author(db, items.get(db, 1))] == [4, 2]
        assert items.earlier_of_author(db, items.get(db, 3)) == []
        assert items.only_from(db, "api")
        assert not items.only_from(db, "demo")


def test_what_was_decided_about_a_post_is_not_shown_beside_its_golden_copy(
    console: Console, database: Database
) -> None:
    console.intake.take([submission("0", author="a"), submission("1", author="a")], NOW)
    with database.write() as tx:
        made = copy_golden(tx, 1)
        assert [row.id for row in items.earlier_of_author(tx, items.get(tx, made))] == [2]


def test_what_an_appeal_decided_is_not_shown_beside_the_golden_copy_of_its_post(
    console: Console, database: Database, ann: Person
) -> None:
    console.intake.take([submission("0", author="a")], NOW)
    cast(database, 1, ann)
    take_appeal(console, Appeal(id="a1", post="0"), NOW)
    with database.write() as tx:
        made = copy_golden(tx, 1)
        assert items.earlier_of_author(tx, items.get(tx, made)) == []


def test_posts_in_queues_of_others_are_not_shown(console: Console, database: Database) -> None:
    console.intake.take([submission(str(number), author="a") for number in range(2)], NOW)
    with database.read() as db:
        item = items.get(db, 1)
        assert [row.id for row in items.earlier_of_author(db, item, ("main",))] == [2]
        assert items.earlier_of_author(db, item, ("appeals",)) == []


def send_again(console: Console, ann: Person) -> None:
    """The second post is edited, the first one reported: both are changed, in the order in which they were sent."""
    reported = submission("1", "these words", author="a", report={"reporter": "s", "reason": ""})
    console.intake.take([submission("2", "other words", author="a"), reported], NOW)


def erase(console: Console, ann: Person) -> None:
    with console.database.write() as tx:
        assert retention.erase_author(tx, "a", NOW) == 5


def erase_in_parts(console: Console, ann: Person) -> None:
    with mock.patch.object(retention, "BATCH", 1):
        erase(console, ann)


def take_back(console: Console, ann: Person) -> None:
    with console.database.write() as tx:
        assert votes.undo(tx, "s1", ann, NOW, 60.0) == [4, 5]


@pytest.mark.parametrize(
    ("act", "locked"),
    [(send_again, (1, 3)), (erase, (1, 3)), (erase, (5, 2)), (erase_in_parts, (5, 2)), (take_back, (5, 2))],
    ids=[
        "a report and an edit",
        "erasure",
        "erasure with appeals",
        "erasure in parts",
        "undoing answers to two appeals",
    ],
)
def test_whoever_changes_several_items_locks_them_in_one_order(
    console: Console, ann: Person, ben: Person, act: Callable[[Console, Person], None], locked: tuple[int, int]
) -> None:
    """Who holds the first waits for the second one, and would wait for ever if the other one did the same.

    Items 1 and 2 are a report and a flag of one post, 3 is another post, and 4 and 5 are appeals against item 2.
    """
    report = {"reporter": "r", "reason": ""}
    reported = submission("1", "these words", author="a", report=report)
    console.intake.take([reported, submission("1", "these words", author="a"), submission("2", author="a")], NOW)
    for item, who in ((2, ben), (3, ann), (1, ann)):  # rows of the database lie in the order of their last change
        with console.database.write() as tx:
            assert claims.claim(tx, item, who.id, NOW, LEASE)
    cast(console.database, 2, ben)
    for name in ("a1", "a2"):
        take_appeal(console, Appeal(id=name, post="1"), NOW)
    with console.database.write() as tx:
        for item in (4, 5):
            votes.cast(tx, item, ann, ALLOW, submission="s1", now=NOW)
    with ThreadPoolExecutor() as threads:
        with console.database.write() as tx:
            items.get(tx, locked[0], lock=True)
            other = threads.submit(act, console, ann)
            wait([other], 0.3)
            items.get(tx, locked[1], lock=True)
        other.result()
