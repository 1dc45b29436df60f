"""Keys for programs: shown once, stored as digests, ended by name."""

from __future__ import annotations

import pytest
from tests.unit.review.conftest import NOW

from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.store import keys
from crossguard.review.store.database import Database


def test_a_key_is_known_until_it_is_revoked_and_is_stored_nowhere(database: Database) -> None:
    with database.write() as tx:
        key, other = keys.add(tx, " forum ", NOW), keys.add(tx, "blog", NOW)
        assert [keys.owner(tx, given) for given in (key, other, key.upper(), "")] == ["forum", "blog", None, None]
        keys.revoke(tx, "forum", NOW + 1)
    with database.read() as db:
        assert [keys.owner(db, given) for given in (key, other)] == [None, "blog"]
        assert [(row.name, row.revoked_at) for row in keys.listed(db)] == [("blog", None), ("forum", NOW + 1)]
        assert key not in str(db.exec_driver_sql("SELECT * FROM keys").all())


def test_a_name_is_one_keys_and_an_ended_key_is_not_ended_again(database: Database) -> None:
    with database.write() as tx:
        keys.add(tx, "forum", NOW)
        keys.revoke(tx, "forum", NOW)
        with pytest.raises(NotFoundError, match="no valid key named 'forum'"):
            keys.revoke(tx, "forum", NOW)
        for name in (" ", "x" * 65):
            with pytest.raises(ReviewError, match="1 to 64 characters"):
                keys.add(tx, name, NOW)
        with pytest.raises(ReviewError, match=r"is or was named 'forum'.* such as 'forum-2'"):
            keys.add(tx, "forum ", NOW)
