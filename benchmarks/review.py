"""The console under load: items waiting, reviewers working at once, time of each page.

`python -m benchmarks.review` puts 100,000 items in and lets 20 reviewers work for a minute; `--short` takes 2,000
items, 8 reviewers and 5 s. `--database postgresql://...` measures PostgreSQL; items that a named database has already
count. The server is `crossguard review` in a process of its own. A reviewer thinks for a time that is drawn from an
exponential distribution with a mean of `--think` seconds, and looks at the queue (often filtered), the start page or
their own answers now and then. A lead keeps opening the quality page. Exits with 1 when a request fails, two reviewers
got the same item, one found none left, or (without `--short`) a page is too slow at p95.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np

from benchmarks import machine
from crossguard.labels import HATE
from crossguard.listening import listen
from crossguard.records import Action, Decision, LabelDecision
from crossguard.review.console import Console
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import people
from crossguard.review.store.database import Database
from crossguard.review.submissions import Submission

BATCH = 1000
BLOCK_FROM = 0.9
SLOWEST_MS = 200.0
EVERY = 10  # posts; the first two of them are nearly the same
WORDS = ["".join(random.Random(i).choices("abcdefghijklmnoprstuvwy", k=6)) for i in range(4000)]  # noqa: S311
FILTERS = ("", "?label=sexist", "?language=fr", "?author=u77", "?order=uncertain&score_from=0.99", "?kind=report")
DOUBLED = (
    "SELECT count(*) FROM (SELECT item FROM votes GROUP BY item HAVING count(*) > 1) AS shared "
    "JOIN items ON items.id = shared.item WHERE items.needed = 1"
)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--database", help="SQLite in a temporary folder when not given")
    parser.add_argument("--think", type=float, default=2.0, help="mean seconds of a reviewer between two requests")
    options = parser.parse_args()
    print(machine.told(machine.describe()))
    items, reviewers, seconds = (2_000, 8, 5.0) if options.short else (100_000, 20, 60.0)
    with tempfile.TemporaryDirectory() as folder:
        where = options.database or str(Path(folder) / "review.sqlite")
        database = Database.open(where)
        console = Console(ReviewSettings(model="none", second_vote_rate=0.1, gold_rate=0), database)
        with database.read() as db:
            known = int(db.exec_driver_sql("SELECT count(*) FROM items").scalar_one())
        started = time.perf_counter()
        for first in range(known, items, BATCH):
            console.intake.take([_post(number) for number in range(first, min(first + BATCH, items))], time.time())
        took = time.perf_counter() - started
        new = max(items - known, 0)
        print(
            f"{database.engine.dialect.name}: {new:,} items in {took:.1f} s, {60 * new / took:,.0f} a minute",
            flush=True,
        )
        with _server(where) as url:
            times, problems = _measure(console, url, reviewers, seconds, options.think)
        database.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    requests = sum(map(len, times.values()))
    print(f"  the server used {1000 * (used.ru_utime + used.ru_stime) / requests:.1f} ms of processor per request")
    slow = [page for page, found in times.items() if 1000 * np.percentile(found, 95) > SLOWEST_MS]
    print("  fast enough" if not slow else f"  slower than {SLOWEST_MS:.0f} ms at p95: {', '.join(slow)}")
    return 1 if problems or (slow and not options.short) else 0


@contextlib.contextmanager
def _server(where: str) -> Iterator[str]:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    flags = ["--port", str(port), "--database", where, "--model", "none", "--demo", "false", "--gold-rate", "0"]
    with subprocess.Popen([sys.executable, "-m", "crossguard", "review", *flags]) as process:  # noqa: S603
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"{url}/readyz").is_success:
                    break
            if process.poll() is not None:
                raise SystemExit(f"The console ended with {process.returncode} before it was ready.")
            time.sleep(0.1)
        try:
            yield url
        finally:
            process.terminate()


def _measure(
    console: Console, url: str, reviewers: int, seconds: float, think: float
) -> tuple[dict[str, list[float]], int]:
    times: dict[str, list[float]] = defaultdict(list)
    voted: Counter[int] = Counter()
    end = time.perf_counter() + seconds
    crowd = [_Reviewer(console, url, number, times) for number in range(reviewers + 1)]
    with ThreadPoolExecutor(len(crowd)) as pool:
        work = [pool.submit(one.review, end, think, voted) for one in crowd[1:]]
        work.append(pool.submit(crowd[0].lead, end, think))
    failed = [error for done in work if (error := done.exception()) is not None]
    for page, found in sorted(times.items()):
        p50, p95 = np.percentile(found, [50, 95]) * 1000
        print(f"  {page:<8} {len(found):>6,} calls   median {p50:6.1f} ms   p95 {p95:6.1f} ms")
    with console.database.read() as db:
        doubled = int(db.exec_driver_sql(DOUBLED).scalar_one())
    print(f"  {sum(voted.values()):,} votes by {reviewers} reviewers; items for one person that two decided: {doubled}")
    for error in failed[:1]:
        print(f"  {len(failed)} reviewers stopped: {error}")
    return times, doubled + len(failed)


class _Reviewer:
    """Somebody who is logged in."""

    def __init__(self, console: Console, url: str, number: int, times: dict[str, list[float]]) -> None:
        with console.database.write() as tx:
            role = Role.REVIEWER if number else Role.LEAD
            person = people.add(tx, f"reviewer {number} of {time.time():.0f}", role, time.time())
            token = people.start_session(tx, person.id, time.time(), 3600)
        with console.database.read() as db:
            session = people.session_of(db, token, time.time())
        assert session is not None
        self._client = httpx2.Client(base_url=url, cookies={"crossguard_review": token}, timeout=60)
        self._form = {"csrf": session.csrf}
        self._number = number
        self._times = times
        self._chance = random.Random(number)  # noqa: S311 - a load test

    def review(self, end: float, think: float, voted: Counter[int]) -> None:
        time.sleep(self._chance.random() * think)
        path = self._post("next", "/queues/main/next", {})
        while time.perf_counter() < end and path.startswith("/items/"):
            self._get("item", path)
            time.sleep(self._chance.expovariate(1 / think) if think else 0)
            ballot = {"action": "block", "label.racist": "yes", "submission": f"{self._number}x{time.time_ns()}"}
            path = self._post("vote", f"{path.split('?')[0]}/vote", ballot)
            voted[self._number] += 1
            if voted[self._number] % 4 == 0:
                self._get("queue", f"/queues/main{self._chance.choice(FILTERS)}")
            if voted[self._number] % 10 == 0:
                self._get("home", "/")
                self._get("mine", "/me")
        if not path.startswith("/items/"):
            raise LookupError("no item was left to decide")

    def lead(self, end: float, think: float) -> None:
        while time.perf_counter() < end:
            self._get("quality", "/quality")
            time.sleep(think)

    def _get(self, page: str, path: str) -> None:
        self._timed(page, "GET", path, None)

    def _post(self, page: str, path: str, fields: dict[str, str]) -> str:
        return str(self._timed(page, "POST", path, self._form | fields).headers["location"])

    def _timed(self, page: str, method: str, path: str, data: dict[str, str] | None) -> httpx2.Response:
        started = time.perf_counter()
        answer = self._client.request(method, path, data=data)
        self._times[page].append(time.perf_counter() - started)
        assert answer.status_code in {200, 303}, answer.text
        return answer


def _post(number: int) -> Submission:
    score = 0.5 + (number * 7919 % 100_000) / 200_000
    action = Action.BLOCK if score >= BLOCK_FROM else Action.REVIEW
    labels = {name: LabelDecision(0.02, 0.5, flagged=False, action=Action.ALLOW) for name in HATE.names}
    labels["racist"] = LabelDecision(score, 0.5, flagged=True, action=action)
    decision = Decision(str(number), labels, action, 1.0, "benchmark", "1", "default", "1").to_dict()
    chance = random.Random(number // EVERY if number % EVERY in {0, 1} else -number)  # noqa: S311
    words = " ".join(chance.choices(WORDS, k=18)) + (" indeed" if number % EVERY == 1 else "")
    return Submission(id=str(number), text=words, author=f"u{number % 5000}", language="en", decision=decision)


if __name__ == "__main__":
    sys.exit(main())
