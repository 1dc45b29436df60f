"""How many posts came by."""

from __future__ import annotations

from sqlalchemy import func, select

from crossguard.review.store import feed_counts
from crossguard.review.store.database import Database
from crossguard.review.store.schema import counted, feed


def test_posts_add_up_per_day_and_stratum_and_each_counts_once(database: Database) -> None:
    with database.write() as tx:
        feed_counts.count(tx, 1, [("api", "1", "block"), ("api", "2", "allow-far"), ("other", "1", "block")])
        feed_counts.count(tx, 1, [("api", "1", "block"), ("api", "3", "block"), ("api", "3", "block")])
        feed_counts.count(tx, 2, [("api", "2", "review"), ("api", "4", "block")])
        feed_counts.count(tx, 2, [])
    with database.read() as db:
        found = {(row.source, row.day, row.stratum): row.posts for row in db.execute(select(feed))}
    assert found == {
        ("api", 1, "block"): 2,
        ("api", 1, "allow-far"): 1,
        ("other", 1, "block"): 1,
        ("api", 2, "block"): 1,
    }


def test_what_came_a_month_ago_is_forgotten_unless_it_came_again(database: Database) -> None:
    last = 1 + feed_counts.REMEMBERED
    with database.write() as tx:
        feed_counts.count(tx, 1, [("api", "once", "block"), ("api", "again", "block")])
        feed_counts.count(tx, 2, [("api", "again", "block")])
        feed_counts.count(tx, last, [("api", "new", "block")])
        feed_counts.count(tx, last + 1, [("api", "again", "block"), ("api", "newer", "block")])
        assert tx.execute(select(func.count()).select_from(counted)).scalar_one() == 3
        assert tx.execute(select(func.sum(feed.c.posts))).scalar_one() == 4
