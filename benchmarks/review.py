"""The console under load: items waiting, reviewers working at once, time of each page.

`python -m benchmarks.review` puts 100,000 items in and lets 20 reviewers work for 30 s; `--short` takes 5,000 items, 8
reviewers and 5 s. `--database postgresql://...` measures PostgreSQL. Reviewers talk to a real server over HTTP, and no
two of them may get the same item.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx2
import numpy as np
import uvicorn

from crossguard.labels import HATE
from crossguard.records import Action, Decision, LabelDecision
from crossguard.review.console import Console
from crossguard.review.intake import Submission
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.server import listen
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import people
from crossguard.review.store.database import Database

BATCH = 1000
BLOCK_FROM = 0.9


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--database", help="SQLite in a temporary folder when not given")
    options = parser.parse_args()
    items, reviewers, seconds = (5_000, 8, 5.0) if options.short else (100_000, 20, 30.0)
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(options.database or str(Path(folder) / "review.sqlite"))
        console = Console(ReviewSettings(model="none", second_vote_rate=0.1, gold_rate=0), database)
        started = time.perf_counter()
        for first in range(0, items, BATCH):
            console.intake.take([_post(number) for number in range(first, min(first + BATCH, items))], time.time())
        took = time.perf_counter() - started
        print(f"{database.engine.dialect.name}: {items:,} items in {took:.1f} s, {60 * items / took:,.0f} a minute")
        with listen("127.0.0.1", 0) as listener:
            server = uvicorn.Server(
                uvicorn.Config(create_app(console), log_level="warning", timeout_graceful_shutdown=1)
            )
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            _measure(console, f"http://127.0.0.1:{listener.getsockname()[1]}", reviewers, seconds)
            server.should_exit = True
            thread.join()
        database.close()


def _measure(console: Console, url: str, reviewers: int, seconds: float) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    voted: Counter[tuple[str, int]] = Counter()
    end = time.perf_counter() + seconds
    shared = {"times": times, "voted": voted}
    work = [threading.Thread(target=_review, args=(console, url, n, end), kwargs=shared) for n in range(reviewers)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    for page, found in sorted(times.items()):
        p50, p95 = np.percentile(found, [50, 95]) * 1000
        print(f"  {page:<8} {len(found):>6,} calls   median {p50:6.1f} ms   p95 {p95:6.1f} ms")
    with console.database.read() as db:
        shared = "SELECT count(*) FROM (SELECT item FROM votes GROUP BY item HAVING count(*) > 1) AS shared"
        doubled = db.exec_driver_sql(
            f"{shared} JOIN items ON items.id = shared.item WHERE items.needed = 1"
        ).scalar_one()
    print(f"  {sum(voted.values()):,} votes by {reviewers} reviewers; items for one person that two decided: {doubled}")


def _review(
    console: Console,
    url: str,
    number: int,
    end: float,
    *,
    times: dict[str, list[float]],
    voted: Counter[tuple[str, int]],
) -> None:
    with console.database.write() as tx:
        person = people.add(tx, f"reviewer {number}", Role.REVIEWER, time.time())
        token = people.start_session(tx, person.id, time.time(), 3600)
    with console.database.read() as db:
        session = people.session_of(db, token, time.time())
    assert session is not None
    client = httpx2.Client(base_url=url, cookies={"crossguard_review": token}, timeout=60)
    form = {"csrf": session.csrf}
    path = _timed(times, "next", lambda: client.post("/queues/main/next", data=form)).headers["location"]
    while time.perf_counter() < end and path.startswith("/items/"):
        _timed(times, "item", lambda: client.get(path))  # noqa: B023 - called at once
        ballot = form | {
            "action": "block",
            "label.racist": "yes",
            "submission": f"{number}x{len(voted)}x{time.time_ns()}",
        }
        answer = _timed(times, "vote", lambda: client.post(f"{path.split('?')[0]}/vote", data=ballot))  # noqa: B023
        voted[path, number] += 1
        path = answer.headers["location"]
        if sum(voted.values()) % 10 == 0:
            _timed(times, "queue", lambda: client.get("/queues/main"))


def _timed(times: dict[str, list[float]], page: str, call: object) -> httpx2.Response:
    assert callable(call)
    started = time.perf_counter()
    answer: httpx2.Response = call()
    times[page].append(time.perf_counter() - started)
    assert answer.status_code in {200, 303}, answer.text
    return answer


def _post(number: int) -> Submission:
    score = 0.5 + (number * 7919 % 100_000) / 200_000
    action = Action.BLOCK if score >= BLOCK_FROM else Action.REVIEW
    labels = {name: LabelDecision(0.02, 0.5, flagged=False, action=Action.ALLOW) for name in HATE.names}
    labels["racist"] = LabelDecision(score, 0.5, flagged=True, action=action)
    decision = Decision(str(number), labels, action, 1.0, "benchmark", "1", "default", "1").to_dict()
    return Submission(id=str(number), text=f"words of the post {number:b}", decision=decision)


if __name__ == "__main__":
    main()
