"""Loads `crossguard serve` with concurrent callers and compares it with the offline pipeline on the same posts.

    python -m benchmarks.serving_load --model compact --clients 64 --seconds 300 --bad 0.05

Everything stays on 127.0.0.1, and ends by itself. Pipeline and server take turns, because the speed of a machine
drifts, and ratios are medians over the rounds. The callers share the cores with the server, so the processor time of
each is printed beside the throughput.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.support.server import RunningServer

from benchmarks import machine
from benchmarks.suite import SHORT_HELP
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.registry import find

WORDS = ("morning", "coffee", "people", "friends", "hate", "love", "all", "you", "are", "the", "match", "game", "city")
MEBI = 2**20
BROKEN = {
    "broken json": b'{"text": "hel',
    "unknown field": b'{"txt": "hello"}',
    "empty post": b'{"text": ""}',
    "broken image": b'{"image": "data:image/jpeg;base64,/9j/4AAQ"}',
    "hang up": b"",
}
POSTS = 500


@dataclass
class Tally:
    """What the callers saw."""

    seconds: list[float] = field(default_factory=list)
    good: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    changed: int = 0


def synthetic(count: int, with_images: float) -> list[Post]:
    """Makes posts of a dozen words, some with a 500-pixel JPEG."""
    chance = np.random.default_rng(3)
    posts = []
    for number in range(count):
        text = " ".join(chance.choice(WORDS, size=int(chance.integers(4, 20))))
        image = None
        if chance.random() < with_images:
            small = chance.integers(0, 255, size=(12, 16, 3), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(small).resize((500, 375)).save(buffer, "JPEG", quality=85)
            image = buffer.getvalue()
        posts.append(Post(str(number), text, image))
    return posts


def read_posts(path: Path) -> list[Post]:
    """Reads JSON Lines with `text` and `image` (a path beside the file)."""
    posts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        image = (path.parent / row["image"]).read_bytes() if row.get("image") else None
        posts.append(Post(str(row.get("id", number)), row.get("text", ""), image))
    return posts


def request(body: bytes) -> bytes:
    """Returns a whole HTTP request."""
    head = "POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


def body_of(post: Post) -> bytes:
    """Returns the JSON of a post."""
    body: dict[str, Any] = {"id": post.id, "text": post.text}
    if isinstance(post.image, bytes):
        body["image"] = "data:image/jpeg;base64," + base64.b64encode(post.image).decode()
    return json.dumps(body).encode()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Returns the status and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)


async def caller(
    port: int, requests: list[tuple[str, bytes]], options: argparse.Namespace, end: float, *, tally: Tally, seed: int
) -> None:
    """Sends requests one after another on a kept connection until the end, some of them bad."""
    chance = random.Random(seed)  # noqa: S311 - chooses among test posts
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MEBI)
    quota = -(-options.requests // (options.clients * options.rounds)) or sys.maxsize
    while quota > 0 and time.perf_counter() < end:
        quota -= 1
        if chance.random() < options.bad:
            kind, broken = chance.choice(list(BROKEN.items()))
            if kind == "hang up":
                writer.write(request(requests[0][1])[:-5])
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MEBI)
                tally.bad["hang up"] += 1
                continue
            writer.write(request(broken))
            status, _ = await read_answer(reader)
            tally.bad[f"{kind} {status}"] += 1
            continue
        name, body = chance.choice(requests)
        begun = time.perf_counter()
        writer.write(body)
        status, answer = await read_answer(reader)
        tally.seconds.append(time.perf_counter() - begun)
        tally.good[str(status)] += 1
        note(tally, name, status, answer)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def note(tally: Tally, name: str, status: int, answer: bytes) -> None:
    """Keeps the first answer to each post, and counts later ones that differ by more than rounding."""
    if status != 200:  # noqa: PLR2004 - done
        return
    scores = {label: entry["score"] for label, entry in json.loads(answer)["labels"].items()}
    first = tally.scores.setdefault(name, scores)
    tally.changed += any(abs(first[label] - score) > 1e-4 for label, score in scores.items())  # noqa: PLR2004


def offline_rate(moderator: Moderator, posts: list[Post], seconds: float) -> tuple[float, float]:
    """Returns posts per second of the offline pipeline, and its processor milliseconds per post."""
    begun, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        done += sum(1 for _ in moderator.stream(posts))
    return done / (time.perf_counter() - begun), (time.process_time() - cpu) / done * 1000


def loop_seconds(server: RunningServer) -> float:
    """Returns the processor time of the thread that talks HTTP: the first one of the server."""
    number = server.process.pid
    ran = Path(f"/proc/{number}/task/{number}/schedstat").read_text(encoding="ascii").split()[0]
    return int(ran) / 1e9


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used up to a moment, or between two: seconds, and those of processors."""

    seconds: float
    posts: int  # good ones that were answered
    cpu: float  # of the server
    loop: float  # of its event loop
    callers: float

    @classmethod
    def now(cls, server: RunningServer, tally: Tally) -> Usage:
        """Returns what has been used so far."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        cpu = server.metric("process_cpu_seconds_total")
        done = sum(tally.good.values())
        return cls(time.perf_counter(), done, cpu, loop_seconds(server), own.ru_utime + own.ru_stime)

    def __sub__(self, before: Usage) -> Usage:
        """Returns what was used since."""
        return Usage(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))

    @property
    def rate(self) -> float:
        """Posts per second."""
        return self.posts / self.seconds

    def per_post(self, seconds: float) -> float:
        """Returns milliseconds per post."""
        return 1000 * seconds / self.posts


def between(ratios: Iterable[float]) -> str:
    """Returns the median of ratios with the least and the greatest."""
    found = sorted(ratios)
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


async def load(
    server: RunningServer, posts: list[Post], options: argparse.Namespace, *, tally: Tally, first: int
) -> list[float]:
    """Runs the callers for a round, their seeds counted from `first`, and samples the server's memory."""
    memory: list[float] = []
    requests = [(post.id, request(body_of(post))) for post in posts]
    end = time.perf_counter() + options.seconds / options.rounds
    tasks = [
        asyncio.create_task(caller(server.port, requests, options, end, tally=tally, seed=seed))
        for seed in range(first, first + options.clients)
    ]
    while not all(task.done() for task in tasks):
        await asyncio.wait(tasks, timeout=options.sample)
        memory.append(await asyncio.to_thread(server.metric, "process_resident_memory_bytes"))
    await asyncio.gather(*tasks)
    return memory


def report(
    tally: Tally, memory: list[float], posts: list[Post], moderator: Moderator, options: argparse.Namespace
) -> None:
    """Prints what was measured."""
    ordered = sorted(tally.seconds)
    quantiles = statistics.quantiles(ordered, n=1000)
    offline = {entry.id: entry.scores for entry in moderator.stream(posts) if entry.ok}
    worst = max(abs(scores[label] - offline[name][label]) for name, scores in tally.scores.items() for label in scores)
    print(f"good requests: {dict(tally.good)}; bad: {dict(sorted(tally.bad.items()))}")
    milliseconds = {name: round(quantiles[at] * 1000, 1) for name, at in (("p50", 499), ("p99", 989), ("p99.9", 998))}
    print(f"latency in ms: {milliseconds}, longest {ordered[-1] * 1000:.0f}")
    print(f"posts seen: {len(tally.scores)}; largest difference from offline: {worst:.2g}; changed: {tally.changed}")
    settled, last, most = memory[len(memory) // 10] / MEBI, memory[-1] / MEBI, max(memory) / MEBI
    print(f"resident MiB: {settled:.0f} after a tenth, {last:.0f} at the end, {most:.0f} at most")
    if options.verbose:
        print("memory samples:", [round(value / MEBI) for value in memory])


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="compact", help="shipped name or folder")
    parser.add_argument("--posts", type=Path, help="JSON Lines of posts; synthetic ones when not given")
    parser.add_argument("--images", type=float, default=0.7, help="share of synthetic posts with an image")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0, help="at most")
    parser.add_argument("--requests", type=int, default=0, help="stop after so many; 0: only by time")
    parser.add_argument("--bad", type=float, default=0.05, help="share of bad requests")
    parser.add_argument("--offline-seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10, help="turns of pipeline and server, which share the seconds")
    parser.add_argument("--sample", type=float, default=2.0, help="seconds between looks at the memory")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--short", action="store_true", help=SHORT_HELP)
    options = parser.parse_args()
    if options.short:
        options.clients, options.seconds, options.offline_seconds, options.sample = 4, 3.0, 0.5, 0.5
        options.rounds = 1
    print(machine.told(machine.describe()))
    folder = find(options.model)
    posts = read_posts(options.posts) if options.posts else synthetic(32 if options.short else POSTS, options.images)
    moderator = Moderator.load(folder)
    list(moderator.stream(posts[:64]))
    tally, memory, rounds = Tally(), [], []
    with RunningServer(folder, drain_s=0) as server:
        for number in range(options.rounds):
            offline = offline_rate(moderator, posts, options.offline_seconds / options.rounds)
            before = Usage.now(server, tally)
            memory += asyncio.run(load(server, posts, options, tally=tally, first=number * options.clients))
            rounds.append((*offline, Usage.now(server, tally) - before))
        batch = server.metric("crossguard_batch_posts_sum") / server.metric("crossguard_batch_posts_count")
    print(f"{options.clients} callers, {options.rounds} rounds, model {options.model}, {len(posts)} posts")
    median = statistics.median
    print(f"offline {median(rate for rate, _, _ in rounds):.0f} posts/s; ", end="")
    print(f"served {median(used.rate for _, _, used in rounds):.0f} posts/s; ", end="")
    print(f"ratio {between(used.rate / rate for rate, _, used in rounds)}")
    print(f"processor ms per post: offline {median(cpu for _, cpu, _ in rounds):.2f}, ", end="")
    print(f"server {median(used.per_post(used.cpu) for *_, used in rounds):.2f}, ", end="")
    print(f"of which its event loop {median(used.per_post(used.loop) for *_, used in rounds):.2f}; ", end="")
    print(f"callers {median(used.per_post(used.callers) for *_, used in rounds):.2f}; ", end="")
    print(f"ratio {between(cpu / used.per_post(used.cpu) for _, cpu, used in rounds)}")
    print(f"cores used: server {median(used.cpu / used.seconds for *_, used in rounds):.2f}, ", end="")
    print(f"callers {median(used.callers / used.seconds for *_, used in rounds):.2f}; mean batch {batch:.1f} posts")
    report(tally, memory, posts, moderator, options)


if __name__ == "__main__":
    main()
