"""Kills drivers and workers of jobs at random, and compares the parts with those of a run that nobody disturbed.

python -m tests.integration.jobs.chaos --kills 50 [--seed 7]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support.tiny_bundle import write_tiny_bundle
from tests.unit.jobs.conftest import parts_of, write_jsonl, write_parquet

POSTS: Final = 2000
# A killed driver has a new one start, load the model and start workers: 5 s on two idle cores.
PATIENCE_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 0.3


def chaos(folder: Path, model: Path, kills: int, seed: int) -> Counter[str]:
    """Kills so many processes, in as many jobs as that takes.

    Args:
        folder: An empty one, for input and output.
        model: The model to score with.
        kills: How many processes are killed.
        seed: Decides which ones, and when.

    Returns:
        How many drivers and workers were killed, and how many jobs were compared.

    Raises:
        AssertionError: A job does not end, or has other parts than an undisturbed one.
    """
    draw = random.Random(seed)  # noqa: S311 - dice
    (folder / "in").mkdir()
    write_jsonl(folder / "in" / "a.jsonl", POSTS)
    write_parquet(folder / "in" / "b.parquet", POSTS, rows_per_group=POSTS // 20)
    command = [sys.executable, "-m", "crossguard", "score", f"{folder}/in/", "--model", str(model), "-q"]
    command += ["--unit-posts", str(POSTS // 20), "--workers", "2", "--threads", "1", "--resume"]
    _run([*command, "-o", f"{folder}/whole/"], folder / "whole", Counter(), 0, draw)
    expected, done = parts_of(folder / "whole"), Counter[str]()
    while done["driver"] + done["worker"] < kills:
        out = folder / f"out-{done['job']}"
        _run([*command, "-o", f"{out}/"], out, done, kills, draw)
        done["job"] += 1
        assert parts_of(out) == expected, f"'{out}' differs from an undisturbed run"
        assert not (out / "_unfinished").exists()
        print(f"job {done['job']} is whole after {done['driver']} killed drivers and {done['worker']} killed workers")
    return done


def _run(command: list[str], out: Path, done: Counter[str], kills: int, draw: random.Random) -> None:
    """Runs a job to its end; starts it again after its driver was killed."""
    finished = False
    while not finished:
        driver = subprocess.Popen(command)
        while done["driver"] + done["worker"] < kills and _moves(driver, out):
            time.sleep(draw.uniform(0, PAUSE_SECONDS))
            _kill(driver, done, draw)
        code = driver.wait(PATIENCE_SECONDS)
        assert code in {0, -signal.SIGKILL}, f"the driver ended with {code}"
        finished = code == 0


def _kill(driver: subprocess.Popen[bytes], done: Counter[str], draw: random.Random) -> None:
    """Kills the driver or one of its workers."""
    victim = draw.choice([driver.pid, *_children(driver.pid)])
    if driver.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            done["driver" if victim == driver.pid else "worker"] += 1


def _moves(driver: subprocess.Popen[bytes], out: Path) -> bool:
    """Waits until there is one more part; returns whether the driver still runs."""
    before, deadline = _count(out), time.monotonic() + PATIENCE_SECONDS
    while driver.poll() is None and _count(out) == before:
        assert time.monotonic() < deadline, f"no part in {PATIENCE_SECONDS:.0f} s"
        time.sleep(0.01)
    return driver.poll() is None


def _count(out: Path) -> int:
    return sum(1 for _ in out.glob("0*/part-*"))


def _children(pid: int) -> list[int]:
    """Returns the processes that a process started, from any of its threads."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, listing.read_text().split())
    return found


def main() -> None:
    """Runs it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        model = write_tiny_bundle(Path(name) / "model").folder
        done = chaos(Path(name), model, options.kills, options.seed)
    seconds = time.monotonic() - started
    print(f"killed {done['driver']} drivers and {done['worker']} workers of {done['job']} jobs in {seconds:.0f} s;")
    print("every part and manifest is what an undisturbed run writes")


if __name__ == "__main__":
    main()
