"""Runs a console in this process: database, first start, background work, socket."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator

import uvicorn
from sqlalchemy import select
from sqlalchemy.exc import InternalError, OperationalError

from crossguard.listening import connections_within_files, listen, web_address
from crossguard.registry import RESOURCES
from crossguard.review.console import Console
from crossguard.review.files import take_file
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import listing, people, retention
from crossguard.review.store.claims import GOLD
from crossguard.review.store.database import Database
from crossguard.review.store.items import DEMO
from crossguard.review.store.schema import items
from crossguard.review.webhooks import Sender

RETENTION_EVERY_S, DELIVERY_EVERY_S = 600.0, 1.0
KEEP_ALIVE_S = 75  # people think for longer than servers usually wait for the next request
MOST_CONNECTIONS = 800  # where so many files may be open; others are told to come again
WAITING_CONNECTIONS = 128  # asyncio accepts as many at once, each of which takes a file before it is counted
_LOG = logging.getLogger("crossguard.review")


def serve(settings: ReviewSettings, say: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; `say` tells the person at the terminal something, such as the address."""
    settings.check_used()
    logging.basicConfig(format="%(asctime)s %(message)s")
    with (
        _until_terminated() as terminated,
        contextlib.closing(listen(settings.host, settings.port)) as listener,
        contextlib.closing(Database.open(settings.database)) as database,
    ):
        database.has_receiver = bool(settings.webhook_url)
        console = Console(settings, database)
        console.check_model()
        host, port = listener.getsockname()[:2]
        address = settings.public_url or web_address(host, port)
        first_start(console, address, say)
        if terminated():
            return
        say(f"Review console: {address}")
        config = uvicorn.Config(
            create_app(console),
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=KEEP_ALIVE_S,
            limit_concurrency=connections_within_files(MOST_CONNECTIONS),
            backlog=WAITING_CONNECTIONS,
        )
        with background(console):
            uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def _until_terminated() -> Iterator[Callable[[], bool]]:
    """Lets what is open be closed after SIGTERM: uvicorn raises it again, and the process would be gone at once.

    SQLite moves everything into its one file only when it is closed. Gives whether SIGTERM has come: where a library is
    just being imported, the exception may get lost.
    """
    terminated = False

    def end(*_: object) -> None:
        nonlocal terminated
        terminated = True
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield lambda: terminated
    except Exception:
        if not terminated:
            raise
        raise SystemExit(0) from None  # an import has made an error of its own of it
    finally:
        signal.signal(signal.SIGTERM, before)


def first_start(console: Console, address: str, say: Callable[[str], None]) -> None:
    """Fills an empty database with the demo's posts, and makes a link for the first admin while there is none."""
    with console.database.read() as db:
        empty = db.execute(select(items.c.id).limit(1)).first() is None
        nobody = not people.everybody(db)
    if empty and nobody and console.settings.demo:
        say("A new database: scoring the demo's posts ...")
        for _ in take_file(console, RESOURCES / "demo" / "posts.jsonl", source=DEMO):
            pass
    with console.database.read() as db:
        waiting = listing.waiting(db, GOLD)
    for name in sorted(waiting.keys() - set(console.settings.all_queues)):
        say(f"{waiting[name][0]:,} items wait in the queue '{name}', which this console lacks: add --queues {name}")
    if nobody:
        with console.database.write() as tx:
            token = people.invite(tx, Role.ADMIN, console.now())
        say(f"Nobody can log in yet. Open this link once, and choose a name and a password:\n  {address}/join/{token}")


@contextlib.contextmanager
def background(console: Console) -> Iterator[None]:
    """Sends webhooks and deletes old content meanwhile."""
    settings, jobs = console.settings, list[tuple[str, Callable[[], bool], float]]()
    if settings.retention_days:
        jobs.append(("deleting old content", lambda: _expire(console), RETENTION_EVERY_S))
    if settings.webhook_url:
        sender = Sender(console.database, settings.webhook_url, settings.webhook_secret)
        jobs.append(("sending messages", lambda: sender.deliver() > 0, DELIVERY_EVERY_S))
    stop = threading.Event()
    threads = [threading.Thread(target=_keep_doing, args=(*job, stop), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=5)


def _keep_doing(name: str, work: Callable[[], bool], idle_s: float, stop: threading.Event) -> None:
    """Does one piece of work after the other; waits while none is left, or when one failed."""
    away = False
    while not stop.is_set():
        more = False
        try:
            more = work()
            if away:
                _LOG.warning("%s: the database is back", name)
            away = False
        except (OperationalError, InternalError) as error:  # the latter where PostgreSQL can only be read, as a standby
            if not away:
                told = " ".join(str(error.orig).split())
                _LOG.warning("%s waits until the database can be used again: %s", name, told)
            away = True
        except Exception:  # noqa: BLE001 - the next round tries again
            _LOG.warning("%s failed", name, exc_info=True)
        if not more:
            stop.wait(idle_s)


def _expire(console: Console) -> bool:
    """Deletes some old content; whether there may be more."""
    with console.database.erase() as tx:
        return retention.expire(tx, console.now(), console.settings.retention_days) == retention.BATCH
