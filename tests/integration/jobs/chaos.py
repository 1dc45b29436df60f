"""Kills drivers and workers of jobs at random, and compares the parts with those of a run that nobody disturbed.

python -m tests.integration.jobs.chaos --kills 50 [--storage s3] [--engine ray] [--seed 7]

With `--storage s3`, two drivers fill each folder at once, some requests are answered with 503, and new objects are
listed late. The clocks of drivers are hours apart.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.object_storage import Faults, files_in, s3_server
from tests.support.tiny_bundle import write_tiny_bundle
from tests.unit.jobs.conftest import write_jsonl, write_parquet

from crossguard.data.storage import Storage

POSTS: Final = 2000
# A killed driver has a new one start, load the model and start workers: 5 s on two idle cores.
PATIENCE_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 0.3
LATE_SECONDS: Final = 2.0
# Of each driver and its workers; files keep the time of the kernel.
CLOCK: Final = """
import os, time
skew, now, now_ns = float(os.environ["CHAOS_CLOCK"]), time.time, time.time_ns
time.time, time.time_ns = lambda: now() + skew, lambda: now_ns() + int(skew * 1e9)
"""
UNFINISHED: Final = 10


@dataclass
class Chaos:
    """Jobs in one storage, on one engine, and what was killed of them.

    Attributes:
        folder: An empty one, for input, logs, and output on this machine.
        model: The model to score with.
        kills: How many processes are killed.
        draw: Decides which ones, and when.
        engine: Of the jobs.
        bucket: Where parts go, with `{}` for a name; the folder when None.
        faults: What makes the storage fail.
        done: How many drivers and workers were killed, and how many jobs compared.
    """

    folder: Path
    model: Path
    kills: int
    draw: random.Random
    engine: str = "local"
    bucket: str | None = None
    faults: Faults | None = None
    done: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """Kills so many processes, in as many jobs as that takes; returns `done`.

        Raises:
            AssertionError: A job does not end, or has other parts than an undisturbed one.
        """
        (self.folder / "in").mkdir()
        write_jsonl(self.folder / "in" / "a.jsonl", POSTS)
        write_parquet(self.folder / "in" / "b.parquet", POSTS, rows_per_group=POSTS // 20)
        (self.folder / "clock").mkdir()
        (self.folder / "clock" / "sitecustomize.py").write_text(CLOCK)
        whole = self._place("whole")
        assert self._start(whole).wait(PATIENCE_SECONDS) == 0, self._log.read_text()
        expected = files_in(whole)
        if self.faults is not None:
            self.faults.every, self.faults.late = 50, LATE_SECONDS
        while self._left:
            out = self._place(f"out-{self.done['job']}")
            self._job(out)
            self.done["job"] += 1
            if self.faults is not None:  # the last parts may not be listed yet
                time.sleep(LATE_SECONDS)
            assert files_in(out) == expected, f"'{out}' differs from an undisturbed run"
            assert self.bucket or not Path(out, "_unfinished").exists()
            print(f"{self.done['job']} jobs are whole, {self._killed} processes were killed")
        return self.done

    @property
    def _killed(self) -> int:
        return self.done["driver"] + self.done["worker"]

    @property
    def _left(self) -> bool:
        return self._killed < self.kills

    @property
    def _log(self) -> Path:
        return self.folder / "drivers.log"

    def _place(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.bucket is None else self.bucket.format(name)

    def _start(self, out: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "crossguard", "score", f"{self.folder}/in/", "--model", str(self.model), "-q"]
        command += ["--unit-posts", str(POSTS // 20), "--workers", "2", "--threads", "1", "--resume"]
        command += ["--engine", self.engine, "-o", out]
        path = os.pathsep.join(filter(None, [str(self.folder / "clock"), os.environ.get("PYTHONPATH")]))
        clock = {"PYTHONPATH": path, "CHAOS_CLOCK": str(self.draw.uniform(-86_400, 86_400))}
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | clock)

    def _job(self, out: str) -> None:
        """Runs a job to its end; starts drivers again that were killed, or left a part for another run."""
        drivers = [self._start(out) for _ in range(1 if self.bucket is None else 2)]
        while drivers:
            while self._left and self._moves(drivers, out):
                time.sleep(self.draw.uniform(0, PAUSE_SECONDS))
                self._disturb()
                self._kill(self.draw.choice(drivers))
            codes = [driver.wait(PATIENCE_SECONDS) for driver in drivers]
            known = {0, -signal.SIGKILL} | ({UNFINISHED} if self.faults else set())
            assert known >= set(codes), f"drivers ended with {codes}: {self._log.read_text()}"
            drivers = [self._start(out) for code in codes if code]

    def _disturb(self) -> None:
        """Has the storage answer nothing but 503 for a while, sometimes."""
        if self.faults is not None:
            self.faults.left = self.draw.choice([0, 0, 20])

    def _kill(self, driver: subprocess.Popen[bytes]) -> None:
        """Kills a driver and a worker in turns; no worker where none runs at the moment."""
        kind = "worker" if self._killed % 2 else "driver"
        running = [driver.pid] if kind == "driver" else self._workers(driver.pid)
        if running and driver.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.draw.choice(running), signal.SIGKILL)
                self.done[kind] += 1

    def _workers(self, driver: int) -> list[int]:
        if self.engine == "local":
            return _children(driver)
        return [pid for pid in _below(os.getpid()) if _name(pid).startswith("ray::_Scorer")]

    def _moves(self, drivers: Sequence[subprocess.Popen[bytes]], out: str) -> bool:
        """Waits for one more part, or until there may be one that is not listed; returns whether a driver still runs.

        On a fast machine a job ends before a storage that lists late shows any part of it.
        """
        before, start = _count(out), time.monotonic()
        while any(driver.poll() is None for driver in drivers) and _count(out) == before:
            waited = time.monotonic() - start
            if self.faults is not None and waited > LATE_SECONDS:
                break
            assert waited < PATIENCE_SECONDS, f"no part in {PATIENCE_SECONDS:.0f} s: {self._log.read_text()}"
            time.sleep(0.02)
        return any(driver.poll() is None for driver in drivers)


def chaos(
    folder: Path, model: Path, kills: int, seed: int, *, engine: str = "local", storage: str = "disk"
) -> Counter[str]:
    """Kills so many processes of jobs in a folder or in S3; see `Chaos`."""
    server: Any = s3_server() if storage == "s3" else nullcontext((None, None))
    with server as (bucket, faults), _cluster() if engine == "ray" else nullcontext():
        draw = random.Random(seed)  # noqa: S311 - dice
        return Chaos(folder, model, kills, draw, engine, bucket, faults).run()


@contextmanager
def _cluster() -> Iterator[None]:
    """Starts a Ray that outlives the drivers."""
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    try:
        yield
    finally:
        del os.environ["RAY_ADDRESS"]
        ray.shutdown()


def _count(out: str) -> int:
    place = Storage(out)
    return sum(1 for entry in place.list(place.path, deep=True) if "/part-" in entry.path)


def _children(pid: int) -> list[int]:
    """Returns the processes that a process started, from any of its threads."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, listing.read_text().split())
    return found


def _below(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _below(child)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has ended
        return ""


def main() -> None:
    """Runs it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--storage", choices=["disk", "s3"], default="disk")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        model = write_tiny_bundle(Path(name) / "model").folder
        how = {"engine": options.engine, "storage": options.storage}
        done = chaos(Path(name), model, options.kills, options.seed, **how)
    seconds = time.monotonic() - started
    print(f"killed {done['driver']} drivers and {done['worker']} workers of {done['job']} jobs in {seconds:.0f} s;")
    print("every part and manifest is what an undisturbed run writes")


if __name__ == "__main__":
    main()
