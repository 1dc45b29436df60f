"""Groups of near-duplicates: who joins whom, over batches and within one; and what tells versions of a post apart."""

from __future__ import annotations

import pytest
from tests.support.review import submission
from tests.unit.review.conftest import NOW, erase

from crossguard.likeness import Likeness, describe
from crossguard.review.console import Console
from crossguard.review.store import items, likenesses
from crossguard.review.store.database import Database
from crossguard.review.store.likenesses import Content

SPAM = "Buy your followers now from the best shop of all, cheap and quick and safe as ever before"
VARIED = "Buy your followers NOW from the best shop of all!!! cheap and quick and safe as ever before, friends"
OTHER = "The weather in the mountains was mild, so we walked along the river to the old mill and back"


def keys(database: Database, count: int) -> list[str | None]:
    with database.read() as db:
        return [items.get(db, number).likeness for number in range(1, count + 1)]


def test_a_near_duplicate_joins_the_first_of_its_group(console: Console, database: Database) -> None:
    console.intake.take([submission("1", SPAM), submission("2", OTHER)], NOW)
    console.intake.take([submission("3", VARIED), submission("4", OTHER.upper())], NOW)
    first, other, varied, again = keys(database, 4)
    assert first == varied
    assert other == again
    assert first != other


def test_posts_of_one_batch_find_each_other(console: Console, database: Database) -> None:
    console.intake.take([submission("1", VARIED), submission("2", OTHER), submission("3", SPAM)], NOW)
    first, other, third = keys(database, 3)
    assert first == third != other


def test_what_has_neither_words_nor_images_is_in_no_group(console: Console, database: Database) -> None:
    console.intake.take([submission("1", "123 !!!"), submission("2", "456 ???")], NOW)
    assert keys(database, 2) == [None, None]
    with database.write() as tx:
        assert likenesses.group(tx, [None, None]) == [None, None]


def test_an_erased_post_is_compared_with_no_longer(console: Console, database: Database) -> None:
    console.intake.take([submission("1", SPAM, author="a")], NOW)
    erase(database, "a")
    console.intake.take([submission("2", VARIED)], NOW)
    own = describe(f"{VARIED} ", [])
    assert isinstance(own, Likeness)
    assert keys(database, 2) == [None, own.key], "it begins a group of its own"


def test_more_posts_than_a_statement_takes_parameters(database: Database) -> None:
    many = [describe(f"word{'abcdefghij'[n % 10]} {'xyz' * (n % 7)} {n:b}".translate({48: "o", 49: "l"}), [])
            for n in range(1500)]  # fmt: skip
    with database.write() as tx:
        found = likenesses.group(tx, many)
    assert len(found) == 1500
    assert None not in found


SENT = Content("words", "on the image", ())


@pytest.mark.parametrize(
    ("before", "now", "edited"),
    [
        (SENT, SENT, False),
        (SENT, Content("other words", "on the image", ()), True),
        (SENT, Content("words", "other", ()), True),
        (SENT, Content("words", "", ()), False),
        (Content("words", "", ()), SENT, False),
        (SENT, Content("", "", ()), False),
        (Content("", "", (), erased=True), SENT, False),
    ],
)
def test_a_post_is_edited_where_something_else_is_known_of_it(before: Content, now: Content, edited: bool) -> None:
    assert before.is_edited(now) == edited


def test_a_group_keeps_no_hash_of_its_first_post_when_that_is_erased(console: Console, database: Database) -> None:
    """By it, whoever guesses the erased words would know that they are right."""
    console.intake.take([submission("1", SPAM, author="a"), submission("2", SPAM, author="a")], NOW)
    console.intake.take([submission("3", VARIED, author="b"), submission("4", VARIED, author="c")], NOW)
    erased = describe(f"{SPAM} ", [])
    assert erased is not None
    assert keys(database, 4) == [erased.key] * 4
    erase(database, "a")
    console.intake.take([submission("5", SPAM), submission("6", VARIED)], NOW)
    first, _, third, *others = keys(database, 6)
    assert (first, third == erased.key) == (None, False)
    assert others == [third] * 3, "they are still together"
