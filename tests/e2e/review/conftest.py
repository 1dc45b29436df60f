"""A console in a process of its own, a real Chromium, and people who log in."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from tests.support.review import submission

from crossguard.review.console import Console
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import keys, people
from crossguard.review.store.database import Database

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PASSWORD = "correct horse"  # noqa: S105 - of the people in these tests
VOTES = "SELECT count(*) FROM votes WHERE undone_at IS NULL"
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here; install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class RunningConsole:
    """A console on a port of its own; the base of those in a thread and in a process."""

    def __init__(self, database: str) -> None:
        self.database = database
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = Database.open(self.database)
        self.settings = ReviewSettings(model="none", second_vote_rate=0, gold_rate=0)

    def wait(self) -> None:
        for _ in range(1200):
            try:
                if httpx2.get(f"{self.url}/readyz").is_success:
                    return
            except httpx2.TransportError:
                time.sleep(0.1)
        raise AssertionError("the console did not start")

    def person(self, name: str, role: Role = Role.REVIEWER) -> str:
        """Adds a person and returns the path of a link by which they choose their password."""
        with self.store.write() as tx:
            if name not in {known.name for known in people.everybody(tx)}:
                people.add(tx, name, role, time.time())
            return f"/join/{people.invite(tx, role, time.time(), name)}"

    def fill(self, count: int, text: str = "", **more: object) -> None:
        """Puts posts in, as if they had come over HTTP; near-duplicates when there is a text."""
        texts = [f"{text} {'now' * index}" if text else "" for index in range(count)]
        posts = [submission(str(i), t, score=0.95 - i / 1000, author="someone", **more) for i, t in enumerate(texts)]
        Console(self.settings, self.store).intake.take(posts, time.time())

    def key(self) -> str:
        with self.store.write() as tx:
            return keys.add(tx, "test", time.time())

    def count(self, query: str) -> int:
        with self.store.read() as db:
            return int(db.exec_driver_sql(query).scalar_one())


class ConsoleThread(RunningConsole):
    """A console in a thread of the test's process: quick to start."""

    def __init__(self, database: str) -> None:
        super().__init__(database)
        self.start()

    def start(self) -> None:
        app = create_app(Console(self.settings, self.store))
        config = uvicorn.Config(app, port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        self.wait()

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join()


class ConsoleProcess(RunningConsole):
    """A console in a process that can be killed and started again on the same file and port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "review.sqlite"))
        self._log = (folder / "log").open("ab")
        self.start()

    def start(self) -> None:
        flags = ["--port", str(self.port), "--database", self.database, "--model", "none", "--demo", "false"]
        rates = ["--second-vote-rate", "0", "--gold-rate", "0"]
        # Nobody listens there, so that what is decided waits in the outbox.
        receiver = ["--webhook-url", "http://127.0.0.1:9/", "--webhook-secret", "of at least 16 characters"]
        command = [sys.executable, "-m", "crossguard", "review", *flags, *rates, *receiver]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


@pytest.fixture
def running(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ConsoleThread]:
    with contextlib.ExitStack() as last:
        where = str(tmp_path / "review.sqlite")
        if engine == "postgresql":
            server = request.getfixturevalue("postgres")
            last.enter_context(server.database())
            where = server.url
        console = ConsoleThread(where)
        last.callback(console.store.close)
        last.callback(console.stop)
        yield console


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ConsoleProcess]:
    console = ConsoleProcess(tmp_path)
    yield console
    console.stop()
    console.store.close()


def join(page: Page, running: RunningConsole, name: str, role: Role = Role.REVIEWER) -> Page:
    """Makes somebody's account by a one-time link, and logs them in."""
    page.goto(running.url + running.person(name, role))
    page.fill("input[name=password]", PASSWORD)
    page.fill("input[name=again]", PASSWORD)
    page.click("button.primary")
    page.wait_for_selector("h1:has-text('Queues')")
    return page


@pytest.fixture
def visit(browser: Browser, running: RunningConsole) -> Iterator[Visit]:
    """Logs somebody in, in a browser of their own; what the console says there fails the test."""
    contexts = []
    problems: list[str] = []

    def open_page(name: str, role: Role = Role.REVIEWER, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(120_000)  # for machines that have much else to do
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: problems.append(message.text) if "Content Security" in message.text else None
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        return join(page, running, name, role)

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def item_of(page: Page) -> int:
    page.wait_for_url("**/items/*")
    return int(page.url.split("/items/")[1].split("?")[0])


def next_item(page: Page, running: RunningConsole, queue: str = "main") -> int:
    """Goes to the next item of a queue by keyboard."""
    page.goto(f"{running.url}/queues/{queue}")
    page.keyboard.press("n")
    return item_of(page)


def log_in_again(page: Page, running: RunningConsole) -> None:
    """Logs Ann in, in a tab of her browser."""
    page.goto(f"{running.url}/login")
    page.fill("input[name=name]", "Ann")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_selector("h1:has-text('Queues')")


def at_first_item(
    running: RunningConsole, visit: Visit, items: int, before: Callable[[Page], object] = lambda _: None
) -> Page:
    """Returns the page of the first item; what is to catch requests is set up `before` it is opened."""
    running.fill(items)
    page = visit("Ann")
    before(page)
    next_item(page, running)
    return page
