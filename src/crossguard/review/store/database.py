"""Opens the database, brings its schema up to date, and gives transactions."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, ExceptionContext, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from crossguard.errors import ConfigError, MissingExtraError
from crossguard.review.store.schema import metadata

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_S: Final = 15
_CHECKPOINTS: Final = 4
_CHECKPOINT_MS: Final = 500
_BETWEEN_S: Final = 0.1
_VALUES: Final = 1000
_WRITE: Final = "crossguard_write"
OUTBOX: Final = "crossguard_outbox"
"""Option of a transaction: whether somebody receives what it decides."""
_LOG: Final = logging.getLogger("crossguard.review")
MIGRATION, POSTS, NAMES = 7_283_641, 7_283_642, 7_283_643  # any numbers that nothing else in the database locks
_TURN: Final = text("SELECT pg_advisory_xact_lock(:what, :which)")
T = TypeVar("T")


class Database:
    """Transactions on one database; safe to share between threads.

    Writers on SQLite take the write lock when they begin, so that what they read cannot change until they commit.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.has_receiver = True  # without one, the outbox would hold years of decisions for the first that is named
        # PostgreSQL shows each statement what is committed, in a transaction or not: without one, two messages less.
        single = engine.dialect.name == "postgresql"
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT") if single else engine
        # Writers of this process wait here in turn; SQLite would let them sleep and try again.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()

    @classmethod
    def open(cls, where: str, migrations: Path = MIGRATIONS, *, create: bool = True) -> Database:
        """Opens a file of SQLite, or a URL such as `postgresql://user@host/name`, and brings its schema up to date.

        A migration that fails leaves everything as it was. Without `create`, the file must be there.

        Raises:
            ConfigError: The database cannot be reached or opened.
            MissingExtraError: PostgreSQL without its driver.
        """
        url = _url(where)
        if not create and url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
            raise ConfigError(
                f"There is no database '{url.database}'. Name the console's before the command: "
                "crossguard review --database FILE ... To make a new one: crossguard review, or review import."
            )
        _make_private(url)
        try:
            # Errors are logged, and would show the texts of posts beside their statement.
            engine = create_engine(url, hide_parameters=True, **_pool(url))
        except ModuleNotFoundError:
            raise MissingExtraError("PostgreSQL", "postgres") from None
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _hide_values)
        database = cls(engine)
        try:
            database.migrate(migrations)
        except (DBAPIError, CommandError) as error:
            engine.dispose()
            # Behind the ? may be a password, too.
            shown, why = url.set(query={}).render_as_string(hide_password=True), getattr(error, "orig", error)
            told = f"Cannot open the database {shown}, or bring its tables up to date: {str(why).strip()}."
            if isinstance(error.__cause__, ResolutionError):  # what alembic says of it is for who writes migrations
                told = (
                    f"The tables of the database {shown} are of a newer version of Crossguard than this one "
                    f"('{error.__cause__.argument}'), or of another program. Install the version that last used it, "
                    "or restore the backup from before."
                )
            raise ConfigError(f"{told} Nothing in it was changed.") from None
        return database

    def read(self) -> Connection:
        """Gives a connection, for `with`, that sees one state of the database (SQLite), or committed rows."""
        return self._reading.connect()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Gives a connection whose changes are committed together at the end, or not at all.

        What is not `durable`, such as a claim, does not wait for the disk; a power cut loses it, and nothing else.
        """
        options = {_WRITE: "FULL" if durable else "NORMAL", OUTBOX: self.has_receiver}
        with self._turn, self.engine.connect().execution_options(**options) as connection, connection.begin():
            if not durable and connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            yield connection

    @contextmanager
    def erase(self) -> Iterator[Connection]:
        """Gives a connection as `write` does; what is erased is gone from SQLite's write-ahead log, too.

        An open reader may need the log; a warning then says that it is kept.
        """
        with self.write() as connection:
            yield connection
        if self.engine.dialect.name == "sqlite":
            for _ in range(_CHECKPOINTS):
                if self._empties_log():
                    return
                time.sleep(_BETWEEN_S)
            _LOG.warning(
                "what was erased is still in SQLite's write-ahead log, because a reader is open. "
                "It leaves the log with the next erasure, or when the console stops."
            )

    def _empties_log(self) -> bool:
        with self._turn, contextlib.closing(self.engine.raw_connection()) as raw:
            cursor = raw.cursor()
            try:
                cursor.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MS}")  # nobody can write while it waits for readers
                busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {1000 * BUSY_S}")
        return not busy

    def migrate(self, migrations: Path = MIGRATIONS, revision: str = "head") -> None:
        """Brings the schema to a revision in one transaction; an empty database is given the newest one at once."""
        config = Config()
        config.set_main_option("script_location", str(migrations))
        config.set_main_option("path_separator", "os")
        with self.write() as connection:
            take_turns(connection, MIGRATION)
            config.attributes["connection"] = connection
            if revision == "head" and not inspect(connection).has_table("alembic_version"):
                metadata.create_all(connection, checkfirst=False)  # tables of somebody else's are an error
                command.stamp(config, revision)
            else:
                command.upgrade(config, revision)

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def take_turns(tx: Connection, what: int, which: Collection[int] = (0,)) -> None:
    """Waits for transactions that named the same numbers of the same thing, as all do on SQLite."""
    if which and tx.dialect.name == "postgresql":
        tx.execute(_TURN, [{"what": what, "which": number} for number in sorted(which)])


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cuts values into parts that both databases take as parameters."""
    return (values[start : start + _VALUES] for start in range(0, len(values), _VALUES))


def insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Returns an INSERT of the connection's dialect; both know ON CONFLICT."""
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _url(where: str) -> URL:
    file = os.path.expanduser(where)  # noqa: PTH111 - pathlib makes a folder of an empty name
    try:
        url = make_url(where) if "://" in where else URL.create("sqlite", database=file)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):  # the address is not shown: it may hold a password
        raise ConfigError("Not a database. Give a file, or postgresql://user@host/name.") from None
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"'{url.get_backend_name()}' is not supported. Give a file, or postgresql://user@host/name.")
    if url.get_backend_name() == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise ConfigError("Decisions cannot be kept in memory. Name the database's file.")
        folder = Path(str(url.database)).parent
        if not folder.is_dir():
            raise ConfigError(f"The folder '{folder}' of the database is not there.")
    return url


def _make_private(url: URL) -> None:
    """Makes the file of a new database, for its owner alone; SQLite gives the files beside it the same mode."""
    if url.get_backend_name() == "sqlite" and "uri" not in url.query:
        with contextlib.suppress(OSError):  # it is there, or cannot be made: SQLite says why
            os.close(os.open(str(url.database), os.O_CREAT | os.O_EXCL, 0o600))


def _pool(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"pool_size": 20, "max_overflow": 20, "connect_args": {"timeout": BUSY_S}}
    sizes = {"pool_size": 10, "max_overflow": 10, "pool_timeout": 10}
    return sizes | {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}


def _hide_values(context: ExceptionContext) -> None:
    """Leaves out what PostgreSQL adds to an error, such as "Failing row contains", with the text of a post."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if primary is not None and wrapped is not None:
        error.args = (primary,)
        wrapped.args = (f"({type(error).__module__}.{type(error).__name__}) {primary}",)


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.create_function("floor", 1, math.floor, deterministic=True)  # not in every build of SQLite
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA recursive_triggers = ON")  # else INSERT OR REPLACE would change the log
    cursor.execute("PRAGMA secure_delete = ON")  # else erased texts stay in the file's free pages
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    synchronous = connection.get_execution_options().get(_WRITE)
    if synchronous:
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if synchronous else "BEGIN")
