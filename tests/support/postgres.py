"""A PostgreSQL server of the test's own: on a socket in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from crossguard.review.store.database import Database

SERVER = "-c fsync=off -c listen_addresses='' -c unix_socket_directories={folder} -c max_connections=60"


def postgres_binaries() -> Path | None:
    """Where `initdb` and `pg_ctl` are: on the PATH, or where Debian puts them."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Starts a server, and stops it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cg-pg-", dir="/tmp"))
    server = PostgresServer(folder)
    try:
        server.run("initdb", "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "--no-sync")
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class PostgresServer:
    """The server; it refuses to run as root, so root runs it as the first other user that Debian has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user = _somebody() if os.geteuid() == 0 else None
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"postgresql://tester@/postgres?host={self.folder}"

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Opens the database with the console's tables, and empties it afterwards."""
        opened = Database.open(self.url)
        try:
            yield opened
        finally:
            with opened.write() as tx:
                tx.execute(text("DROP SCHEMA public CASCADE"))
                tx.execute(text("CREATE SCHEMA public"))
            opened.close()

    def run(self, program: str, *arguments: str) -> None:
        binaries = postgres_binaries()
        assert binaries is not None
        log = (self.folder / "log").open("ab") if self._user is None else subprocess.DEVNULL
        subprocess.run(
            [str(binaries / program), *arguments], check=True, user=self._user, stdout=log, stderr=log, cwd=self.folder
        )

    def start(self) -> None:
        options = SERVER.format(folder=self.folder)
        log = str(self.folder / "server.log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", options, "start")

    def stop(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


def _somebody() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
