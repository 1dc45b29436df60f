"""Attacks `crossguard serve` in every way we know while honest callers go on, and says what they notice.

    python -m benchmarks.siege --model compact --seconds 300
    python -m benchmarks.siege --short

The server asks for keys and has a cap on its memory. Honest callers send at a steady pace, first alone and then beside
the attackers, who run in a process of lower priority: on one machine they would otherwise compete for its cores as no
attacker from outside can. Everything stays on 127.0.0.1 and ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import io
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx2
import numpy as np
import yaml
from PIL import Image
from tests.support.raw_http import GOOD, HEAD, HEALTH, cap_memory, peak_mebibytes
from tests.support.server import RunningServer

from benchmarks import machine
from benchmarks.suite import SHORT_HELP
from crossguard.registry import find
from crossguard.serving.keys import digest_of, new_key

CAP_MEBIBYTES = 2048
CALLERS = 64
MEANWHILE_S = 1.0
"""Time from one request of a caller to its next."""
SLOWER = 3.0
"""How many times the quiet 99th percentile the besieged one may be."""
WORDS = ("morning", "coffee", "people", "friends", "all", "you", "are", "the", "match", "game", "city")

CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
BATCH = b"POST /batch HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/mixed; boundary=b\r\n"
FLOODS = (
    (HEALTH[:-2] + CHUNKED + b"0\r\n", b"x: " + b"y" * 1000 + b"\r\n"),
    (HEAD + CHUNKED + b"1\r\na\r\n0\r\nx: ", b"y" * 65536),
    (HEAD + CHUNKED + b"1;", b"x" * 65536),
    (b"GET / HTTP/1.1\r\nx: ", b"y" * 65536),
    (b"", b"\r\n" * 30_000),
    (b"", HEALTH * 2000),
    (b"", b"GET / HTTP/1.1\r\nupgrade: a\r\nconnection: upgrade\r\n\r\n" * 1000),
    (HEAD + CHUNKED, b"8000\r\n" + b"x" * 0x8000 + b"\r\n"),
    (BATCH + CHUNKED, b"8000\r\n" + b"-" * 0x8000 + b"\r\n"),
)  # fmt: skip
HOLDS = (
    (b"", b""),
    (b"", b"\r\n"),
    (b"GET / HTTP/1.1\r\nx: ", b"y"),
    (HEAD + b"content-length: 9999\r\n\r\n", b"y"),
    (HEALTH, b""),
    (HEALTH + b"G", b""),
    (HEALTH[:-2] + b"content-length: 9999\r\n\r\n", b"y"),
    (b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n" * 16, b""),
)


@dataclass
class Seen:
    """What the honest callers saw.

    Attributes:
        seconds: Time to each good answer.
        failures: Every other outcome, counted.
    """

    seconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def percentile(self, share: float) -> float:
        """Returns the time, in milliseconds, that this share of the answers did not exceed."""
        return float(np.quantile(self.seconds, share)) * 1000 if self.seconds else float("nan")


@dataclass
class Result:
    """What a siege did."""

    honest_requests: int
    failures: dict[str, int]
    quiet_p50_ms: float
    quiet_p99_ms: float
    besieged_p50_ms: float
    besieged_p99_ms: float
    peak_mebibytes: float
    attacks: dict[str, int]

    def problems(self, *, timed: bool) -> list[str]:
        """Returns what should not have been; how much slower it got only counts where nothing else runs."""
        found = [f"{count} honest requests: {what}" for what, count in self.failures.items()]
        if self.peak_mebibytes > CAP_MEBIBYTES:
            found.append(f"{self.peak_mebibytes:.0f} MiB of memory, over {CAP_MEBIBYTES}")
        # Written so that NaN, which is the time where nobody got an answer, is a problem.
        if timed and not self.besieged_p99_ms <= SLOWER * self.quiet_p99_ms:
            found.append(f"p99 {self.besieged_p99_ms:.0f} ms, quiet {self.quiet_p99_ms:.0f} ms")
        if not self.attacks:
            found.append("no attack came to its end")
        return found


def besiege(model: Path, seconds: float, callers: int = CALLERS) -> Result:
    """Measures honest callers alone for a quarter of the time, and under attack for the rest."""
    with tempfile.TemporaryDirectory() as folder:
        keys = {name: new_key() for name in ("honest", "hostile")}
        entries = {name: {"sha256": digest_of(key)} for name, key in keys.items()}
        entries["hostile"] |= {"posts_per_minute": 600}  # type: ignore[dict-item]
        keys_file = Path(folder) / "keys.yaml"
        keys_file.write_text(yaml.safe_dump({"keys": entries}), encoding="utf-8")
        with RunningServer(model, keys_file=keys_file, drain_s=0) as server:
            cap_memory(server, CAP_MEBIBYTES)
            quiet = asyncio.run(_honest(server.url, keys["honest"], callers, seconds / 4))
            counts = multiprocessing.get_context("spawn").Queue()
            attackers = multiprocessing.get_context("spawn").Process(
                target=_attack, args=(server.port, keys["hostile"], seconds * 3 / 4 + 1, counts)
            )
            attackers.start()
            try:
                besieged = asyncio.run(_honest(server.url, keys["honest"], callers, seconds * 3 / 4))
                attacks = counts.get(timeout=60)
            finally:
                attackers.join(10)
                attackers.kill()
            peak = peak_mebibytes(server)
    return Result(
        len(quiet.seconds) + len(besieged.seconds),
        dict(quiet.failures + besieged.failures),
        quiet.percentile(0.5),
        quiet.percentile(0.99),
        besieged.percentile(0.5),
        besieged.percentile(0.99),
        peak,
        attacks,
    )


async def _honest(url: str, key: str, callers: int, seconds: float) -> Seen:
    seen, end = Seen(), time.monotonic() + seconds
    headers = {"authorization": f"Bearer {key}"}
    limits = httpx2.Limits(max_connections=callers)
    async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30, limits=limits) as client:
        await asyncio.gather(*(_caller(client, seen, end, number) for number in range(callers)))
    return seen


async def _caller(client: httpx2.AsyncClient, seen: Seen, end: float, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - chooses words
    await asyncio.sleep(chance.random() * MEANWHILE_S)
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            answer = await client.post("/v1/score", json={"text": " ".join(chance.choices(WORDS, k=8))})
            outcome = "" if answer.status_code == httpx2.codes.OK else f"status {answer.status_code}"
        except httpx2.HTTPError as error:
            outcome = type(error).__name__
        if outcome:
            seen.failures[outcome] += 1
        else:
            seen.seconds.append(time.monotonic() - begun)
        await asyncio.sleep(max(0.0, begun + MEANWHILE_S - time.monotonic()))


def _attack(port: int, key: str, seconds: float, counts: multiprocessing.Queue[dict[str, int]]) -> None:
    os.nice(10)
    tally: Counter[str] = Counter()
    with contextlib.suppress(TimeoutError):
        asyncio.run(_attack_all(port, key, seconds, tally))
    counts.put(dict(tally))


async def _attack_all(port: int, key: str, seconds: float, tally: Counter[str]) -> None:
    async with asyncio.timeout(seconds):
        await asyncio.gather(
            *(_repeat(_flood, port, entry, tally, f"flood {n}") for n, entry in enumerate(FLOODS)),
            *(_repeat(_hold, port, entry, tally, f"hold {n}") for n, entry in enumerate(HOLDS) for _ in range(25)),
            *(_repeat(_post, port, body, tally, f"post {n}") for n, body in enumerate(hostile_requests(key))),
        )


async def _repeat(attack: object, port: int, what: object, tally: Counter[str], name: str) -> None:
    assert callable(attack)
    while True:
        await asyncio.sleep(0.05)
        try:
            await attack(port, what)
        except ConnectionRefusedError:  # there was no attack
            continue
        except (OSError, asyncio.IncompleteReadError):  # the server ended it
            pass
        tally[name] += 1


async def _flood(port: int, what: tuple[bytes, bytes]) -> None:
    head, piece = what
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        for _ in range(200 * 2**20 // len(piece)):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.transport.abort()


async def _hold(port: int, what: tuple[bytes, bytes]) -> None:
    head, dribble = what
    # No reader: what the server answers is never taken.
    raw = socket.create_connection(("127.0.0.1", port), timeout=5)
    raw.settimeout(0)
    with contextlib.closing(raw):
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, head)
        for _ in range(300):
            await asyncio.sleep(0.2)
            await loop.sock_sendall(raw, dribble)


async def _post(port: int, request: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        await asyncio.wait_for(reader.read(4096), 10)
    finally:
        writer.transport.abort()


def hostile_requests(key: str) -> Iterable[bytes]:
    """Returns whole requests that cost more than they should, or once did; with a key and without."""
    ligature, emoji = "\ufdfa" * 2304, "\U0001f469\u200d\U0001f680" * 768
    wide, bomb = io.BytesIO(), io.BytesIO()
    Image.new("1", (4_000_000, 1)).save(wide, "PNG", optimize=True)
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG", optimize=True)
    bodies = [
        {"text": ligature, "image_text": ligature},
        {"text": emoji, "image_text": emoji},
        {"text": "\u200b" * 100_000},
        {"text": "http://a.example/" + "a" * 100_000},
        {"text": "a " * 500_000},
        {"image": base64.b64encode(wide.getvalue()).decode()},
        {"image": base64.b64encode(bomb.getvalue()).decode()},
    ]
    encoded = [json.dumps(body).encode() for body in bodies] + [
        b"[" * 100_000,
        b'{"text": "' + b"a" * 2_000_000 + b'"}',
    ]
    for body in encoded:
        yield (
            HEAD
            + b"x-api-key: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (key.encode(), len(body))
            + body
        )
    punycode = b'--b\r\ncontent-disposition: form-data; name="text"\r\n\r\n' + b"a" * 600_000 + b"-a\r\n--b--\r\n"
    kind = b"multipart/form-data; boundary=b; charset=punycode"
    yield (
        b"POST /v1/score HTTP/1.1\r\nhost: a\r\nx-api-key: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
        % (key.encode(), kind, len(punycode))
        + punycode
    )
    yield HEAD + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD
    yield HEAD + b"x-api-key: nobody\r\ncontent-length: 30000000\r\n\r\n" + b"x" * 1_000_000


def main() -> None:
    """Runs the siege and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="compact", help="shipped name, folder or Hub id")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--short", action="store_true", help=SHORT_HELP)
    options = parser.parse_args()
    print(machine.told(machine.describe()))
    result = besiege(find(options.model, None), 20 if options.short else options.seconds)
    print(json.dumps(asdict(result), indent=2))
    problems = result.problems(timed=not options.short)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
