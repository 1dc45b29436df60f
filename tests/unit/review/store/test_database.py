"""Opening, migrating, and what happens when that fails."""

from __future__ import annotations

import os
import shutil
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError
from tests.support import first_schema

from crossguard.errors import ConfigError
from crossguard.review.store import items, log, people, votes
from crossguard.review.store.database import MIGRATIONS, Database
from crossguard.review.store.schema import metadata

# What is left when all tables of the schema are gone.
CLEAN = {
    "sqlite": ["DROP TABLE alembic_version"],
    "postgresql": ["DROP TABLE alembic_version", "DROP FUNCTION log_is_append_only"],
}
BROKEN = '''
"""Adds a table and fails."""
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "9999", "0006", None, None
def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer()))
    op.execute("UPDATE people SET name = 'lost'")
    op.execute("SELECT nonsense FROM nowhere")
'''


@pytest.fixture
def first_scripts(tmp_path: Path) -> Path:
    """The migrations, with what the first one made when there was no other."""
    scripts = tmp_path / "first"
    shutil.copytree(MIGRATIONS, scripts)
    shutil.copyfile(first_schema.__file__, scripts / "versions" / "0001_initial.py")
    return scripts


def differences(database: Database) -> list[Any]:
    """Returns how the tables differ from the schema."""
    with database.read() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def test_a_new_database_has_the_schema(database: Database) -> None:
    assert differences(database) == []
    with database.read() as db:
        assert db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "0006"


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_file_is_only_made_where_that_is_wanted(form: str, tmp_path: Path) -> None:
    where = form.format(tmp_path / "new.sqlite")
    with pytest.raises(ConfigError, match="There is no database"):
        Database.open(where, create=False)
    Database.open(where).close()
    Database.open(where, create=False).close()


def test_a_file_may_be_named_by_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Database.open("~/new.sqlite").close()
    assert (tmp_path / "new.sqlite").is_file()


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_new_file_is_for_its_owner_alone(form: str, tmp_path: Path) -> None:
    """It holds the posts, and what people said of them."""
    before = os.umask(0o022)
    try:
        database = Database.open(form.format(tmp_path / "new.sqlite"))
        with database.write() as tx:
            log.record(tx, 0.0, "Ann", "join")
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
        assert modes == dict.fromkeys(("new.sqlite", "new.sqlite-wal", "new.sqlite-shm"), "0o600")
        database.close()
        (tmp_path / "new.sqlite").chmod(0o660)  # as somebody wanted it
        Database.open(str(tmp_path / "new.sqlite")).close()
        assert (tmp_path / "new.sqlite").stat().st_mode & 0o777 == 0o660
    finally:
        os.umask(before)


def test_the_migrations_make_the_schema(database: Database, first_scripts: Path) -> None:
    with database.write() as tx:
        metadata.drop_all(tx)
        for statement in CLEAN.get(tx.dialect.name, ()):
            tx.exec_driver_sql(statement)
    database.migrate(first_scripts, revision="0001")
    assert differences(database) != []
    database.migrate()
    assert differences(database) == []
    with database.write() as tx:
        log.record(tx, 0.0, "Ann", "join")
    with pytest.raises(DBAPIError, match="append-only"), database.write() as tx:
        tx.exec_driver_sql("DELETE FROM log")


def test_tables_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE votes (id INTEGER)")
    engine.dispose()
    with pytest.raises(ConfigError, match=r"votes already exists.*Nothing in it was changed"):
        Database.open(str(tmp_path / "other.sqlite"))
    assert inspect(engine).get_table_names() == ["votes"]
    engine.dispose()


def test_an_older_database_keeps_its_votes(tmp_path: Path, first_scripts: Path) -> None:
    engine = Database(create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}"))
    engine.migrate(first_scripts, revision="0001")
    with engine.write() as tx:
        tx.exec_driver_sql(
            "INSERT INTO people (id, name, role, active, queues, show_text, show_images, created_at) "
            "VALUES (1, 'Ann', 'lead', 1, '[\"audit\", \"main\"]', 0, 0, 0)"
        )
        tx.exec_driver_sql(
            "INSERT INTO items (id, source, kind, external, queue, state, text, image_text, received_at, flagged, "
            "reports, urgency, uncertainty, shuffle, stratum, inclusion, blind, needed, appeal_reason) VALUES "
            "(1, 'a', 'audit', '1', 'audit', 'open', '', '', 0, '', 0, 0, 0, 0, 'review', 1, 0, 1, '')"
        )
        tx.exec_driver_sql(
            "INSERT INTO votes (item, person, kind, queue, submission, labels, clause, comment, blind, "
            "claimed_at, decided_at) VALUES (1, 1, 'vote', 'main', 's', '{}', '', '', 0, 0, 0)"
        )
    engine.close()
    with closing(Database.open(str(tmp_path / "old.sqlite"))) as opened, opened.read() as db:
        assert votes.standing(db, 1)[0].person == 1
        assert db.exec_driver_sql("SELECT queue FROM items").scalar_one() == "main", "the queue audit is no more"
        assert people.everybody(db)[0].queues == ("main",)
        (made,) = db.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'uq_votes_item_person_standing'").one()
    assert "undone_at IS NULL" in made


def test_earlier_versions_in_an_older_database_keep_the_id_of_their_post(tmp_path: Path, first_scripts: Path) -> None:
    engine = Database(create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}"))
    engine.migrate(first_scripts, revision="0001")
    kinds = {"42#1": "flag", "42#1 ": "report", "42": "flag", "7#4": "flag", " 42#1": "gold"}
    with engine.write() as tx:
        for number, (name, kind) in enumerate(kinds.items(), 1):
            tx.exec_driver_sql(
                "INSERT INTO items (id, source, kind, external, queue, state, text, image_text, received_at, flagged, "
                "reports, urgency, uncertainty, shuffle, stratum, inclusion, blind, needed, appeal_reason) VALUES "
                "(?, 'a', ?, ?, 'main', 'open', '', '', 0, '', 0, 0, 0, 0, 'review', 1, 0, 1, '')",
                (number, kind, name.strip()),
            )
    engine.close()
    with closing(Database.open(str(tmp_path / "old.sqlite"))) as opened, opened.read() as db:
        assert [items.own_id(items.get(db, number)) for number in range(1, 6)] == ["42", "42", "42", "7#4", "42"]


def test_a_migration_that_fails_leaves_everything_as_it_was(database: Database, tmp_path: Path) -> None:
    scripts = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, scripts)
    (scripts / "versions" / "9999_broken.py").write_text(BROKEN, encoding="utf-8")
    with pytest.raises(DBAPIError):
        database.migrate(scripts)
    assert "half" not in inspect(database.engine).get_table_names()
    with database.read() as db:
        assert db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "0006"


def test_a_database_of_a_newer_version_is_told_and_left_alone(tmp_path: Path) -> None:
    where = str(tmp_path / "review.sqlite")
    first = Database.open(where)
    with first.write() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    first.close()
    with pytest.raises(ConfigError, match=r"newer version .*'9999'.*restore the backup.*Nothing in it was changed"):
        Database.open(where)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("/nowhere/at/all/review.sqlite", "folder '/nowhere/at/all'"),
        ("mysql+pymysql://localhost/x", "Not a database|not supported|needs an optional part"),
        ("nonsense://x", "Not a database"),
        ("postgresql://nobody@127.0.0.1:1/none", "Cannot open the database"),
        ("postgresql://nobody@127.0.0.1:port/none", "Not a database"),
        ("postgres://ann:pass@127.0.0.1/none", r"^Not a database\. Give a file, or postgresql://user@host/name\.$"),
        *((nowhere, "in memory") for nowhere in ("", ":memory:", "sqlite://", "sqlite:///:memory:")),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_sentence(where: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Database.open(where)


@pytest.mark.parametrize(
    "where",
    [
        "postgresql://me:hunter22@127.0.0.1:1/none",
        "postgresql://me@/none?host=127.0.0.1&port=1&password=hunter22&sslmode=prefer",
        "postgresql://me@127.0.0.1:1/none?passwd=hunter22",
    ],
)
def test_passwords_do_not_stand_in_errors(where: str) -> None:
    with pytest.raises(ConfigError, match="Cannot open the database") as told:
        Database.open(where)
    assert "hunter22" not in str(told.value)


def test_errors_do_not_show_the_texts_of_posts(tmp_path: Path) -> None:
    with (
        closing(Database.open(str(tmp_path / "review.sqlite"))) as opened,
        opened.read() as connection,
        pytest.raises(DBAPIError) as raised,
    ):
        connection.execute(text("SELECT :words FROM nowhere"), {"words": "what a post says"})
    assert "nowhere" in str(raised.value)
    assert "what a post says" not in str(raised.value)


@pytest.mark.parametrize("engine", ["postgresql"])
def test_errors_do_not_show_the_rows_that_postgresql_refuses(database: Database) -> None:
    refused = text("INSERT INTO deliveries (id, event, body, attempts, problem) VALUES ('m', 'e', :words, 0, '')")
    sent = {"words": "what a post says"}
    with pytest.raises(DBAPIError, match='null value in column "item"') as raised, database.write() as tx:
        tx.execute(refused, sent)
    assert "what a post says" not in "".join(traceback.format_exception(raised.value))
