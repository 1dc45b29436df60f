"""The first start of a console, and what runs beside it."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from tests.support.review import submission
from tests.unit.review.conftest import NOW, person, row

from crossguard.review import server
from crossguard.review.console import Console
from crossguard.review.server import _keep_doing, background, first_start, serve
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import items, listing, people
from crossguard.review.store.database import Database
from crossguard.review.store.schema import items as table


@pytest.fixture
def engine() -> str:
    return "sqlite"


def start(console: Console) -> list[str]:
    said: list[str] = []
    first_start(console, "http://here", said.append)
    return said


def test_a_new_console_has_the_demo_and_a_link_for_its_first_admin(console: Console) -> None:
    demo, link = start(console)
    assert "scoring the demo's posts" in demo
    token = link.rpartition("/join/")[2]
    with console.database.read() as db:
        assert items.only_from(db, "demo")
        assert sum(count for count, _ in listing.waiting(db).values()) == 12
        assert people.invitation(db, token, console.now()).role == "admin"


def test_a_link_is_made_while_nobody_has_used_one_and_the_demo_comes_once(console: Console) -> None:
    start(console)
    assert [line.splitlines()[0] for line in start(console)] == [
        "Nobody can log in yet. Open this link once, and choose a name and a password:"
    ]
    person(console.database, "Ann")
    assert start(console) == []


def test_a_console_with_posts_or_without_the_wish_gets_no_demo(database: Database, settings: ReviewSettings) -> None:
    console = Console(settings.model_copy(update={"demo": False}), database)
    assert len(start(console)) == 1
    filled = Console(settings, database)
    filled.intake.take([submission("1")], NOW)
    assert len(start(filled)) == 1


def test_what_waits_in_a_queue_that_the_console_lacks_is_told(database: Database, settings: ReviewSettings) -> None:
    """It may have been imported with other settings, and nobody would ever see it."""
    Console(settings.model_copy(update={"queues": ("memes",)}), database).intake.take(
        [submission("1", queue="memes"), submission("2")], NOW
    )
    (told, _) = start(Console(settings, database))
    assert told == "1 items wait in the queue 'memes', which this console lacks: add --queues memes"
    with database.write() as tx:
        tx.execute(update(table).where(table.c.queue == "memes").values(kind="gold", state="gold"))
    assert start(Console(settings, database))[0] == told, "golden items are for somebody, too"


def test_content_is_deleted_in_time_while_the_console_runs(
    database: Database, settings: ReviewSettings, tmp_path: Path
) -> None:
    console = Console(settings.model_copy(update={"retention_days": 30}), database)
    console.intake.take([submission("1"), submission("2")], NOW)
    with database.write() as tx:
        tx.execute(update(table).values(state="decided", decided_at=console.now()))
        tx.execute(update(table).where(table.c.id == 1).values(decided_at=console.now() - 31 * 86_400))
    with background(console):
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            texts = [row(database, number).text for number in (1, 2)]
            if not texts[0]:
                break
            time.sleep(0.02)
    assert (texts[0], bool(texts[1])) == ("", True)


@pytest.mark.parametrize("kind", [OperationalError, InternalError])
@pytest.mark.parametrize("fault", [None, ValueError("a defect")])
def test_while_the_database_is_away_the_log_has_one_line(
    kind: type[DBAPIError], fault: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    away = kind("SELECT 1", {}, Exception("connection failed:\n  refused"))
    outcomes = [away, away, fault, away, None]
    stop = threading.Event()

    def work() -> bool:
        failure = outcomes.pop(0)
        if failure is not None:
            raise failure
        if not outcomes:
            stop.set()
        return False

    _keep_doing("sending messages", work, 0, stop)
    waits = "sending messages waits until the database can be used again: connection failed: refused"
    back = "sending messages: the database is back"
    told = [waits, back, waits, back] if fault is None else [waits, "sending messages failed", back]
    assert [record.getMessage() for record in caplog.records] == told
    assert [record.getMessage() for record in caplog.records if record.exc_info] == told[1:2] * bool(fault)


def started(folder: Path) -> subprocess.Popen[str]:
    """A console as a process of its own."""
    settings = {"database": str(folder / "r.sqlite"), "model": "none", "demo": "false", "port": "0"}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    return subprocess.Popen([sys.executable, "-m", "crossguard", "review", *flags], stderr=subprocess.PIPE, text=True)


def test_lines_of_the_log_have_their_time(tmp_path: Path) -> None:
    """Also those of the library that serves, such as what a defect in a page leaves there."""
    with started(tmp_path) as process:
        assert process.stderr is not None
        (address,) = itertools.islice((line for line in process.stderr if line.startswith("Review console: ")), 1)
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as caller:
            caller.sendall(b"no HTTP\r\n\r\n")
            assert caller.recv(1)
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* Invalid HTTP request received", told, re.MULTILINE)


def test_after_sigterm_everything_is_in_the_one_file(tmp_path: Path) -> None:
    """That is what service managers send, and whoever copies the file then copies all of it."""
    with started(tmp_path) as process:
        assert process.stderr is not None
        assert any("/join/" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["r.sqlite"]
    with contextlib.closing(sqlite3.connect(tmp_path / "r.sqlite")) as copy:
        assert copy.execute("SELECT count(*) FROM invitations").fetchone() == (1,)


def terminated_unheard(*_: object) -> None:
    with contextlib.suppress(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def terminated_into_an_error(*_: object) -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except SystemExit:
        raise ImportError("initialization failed") from None


@pytest.mark.parametrize("first_start", [terminated_unheard, terminated_into_an_error])
def test_sigterm_while_something_is_imported_ends_a_start(
    first_start: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled modules make an ImportError of the SystemExit, or nothing."""
    said: list[str] = []
    monkeypatch.setattr(server, "first_start", first_start)
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: said.append("runs"))
    with contextlib.suppress(SystemExit):
        serve(ReviewSettings(database=f"{tmp_path}/r.sqlite", model="none", port=0), said.append)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["r.sqlite"]


def test_an_error_of_a_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ImportError("no such module")

    monkeypatch.setattr(server, "first_start", fails)
    with pytest.raises(ImportError, match="no such module"):
        serve(ReviewSettings(database=f"{tmp_path}/r.sqlite", model="none", port=0), print)
